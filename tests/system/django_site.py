"""The demo site examples/acme as a tenant of a test host."""
from rowhouse_host import ROOT

PASSWORD = "demo"


def add_django(host, name="acme"):
    """A tenant with the Django site, migrated, with a superuser demo/demo and its static files collected."""
    tenant = host.add_tenant(name)
    tenant.copy(ROOT / "examples/acme/site", "site")
    site = tenant.home / "site"
    for arguments in (["migrate", "--verbosity", "0"], ["collectstatic", "--noinput", "--verbosity", "0"],
                      ["createsuperuser", "--noinput", "--username", "demo", "--email", "demo@acme.test"]):
        tenant.run("/usr/bin/python3", "manage.py", *arguments, cwd=site,
                   env={"DJANGO_SUPERUSER_PASSWORD": PASSWORD})
    manifest = (ROOT / "examples/acme/rowhouse.yaml").read_text()
    tenant.manifest(manifest.replace("acme.localhost", tenant.domain))
    return tenant
