"""All probes; importing it registers them."""
import credentials
import files
import kernel_surface
import libraries
import network
import process_walls
import twins
from registry import PROBES, TWIN, Probe

GROUPS = (credentials, kernel_surface, files, process_walls, network, twins, libraries)
__all__ = ["GROUPS", "PROBES", "TWIN", "Probe"]
