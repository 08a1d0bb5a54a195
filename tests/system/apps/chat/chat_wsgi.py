"""The Django views of chat.py under WSGI."""
import chat  # noqa: F401 - configures Django
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
