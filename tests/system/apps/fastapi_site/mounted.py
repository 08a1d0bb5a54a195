"""site_app behind a route with a path, for a Starlette before 0.33: it looks for `path` without `root_path`."""
from site_app import app


async def application(scope, receive, send):
    if scope["type"] != "lifespan":
        scope = {**scope, "path": scope["path"][len(scope["root_path"]):]}
    await app(scope, receive, send)
