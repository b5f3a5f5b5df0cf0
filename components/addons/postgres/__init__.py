"""PostgreSQL: a database for each site that asks for one."""

from pydantic import Field

from components.addons.addon import Addon
from components.options import Model, StorageQuantity

NAMESPACE = "postgres"

_MOVING_TAG = (
    "Debian's security updates decide on the minor version of the embedded cluster's; the tag moves within one major "
    "version, whose files stay the same."
)


class PostgresOptions(Model):
    """Options of PostgreSQL."""

    size: StorageQuantity = Field(default="8Gi", description="size of its volume, for the databases of all sites")


POSTGRES = Addon(
    name="postgres",
    what="databases for sites",
    options=PostgresOptions,
    component="Postgres",
    before_sites=True,
    namespaces=(NAMESPACE,),
    needs=("storage",),
    exemptions={
        "image-version": {
            "StatefulSet postgres/postgres": _MOVING_TAG,
            "Job postgres/*": _MOVING_TAG,
        },
    },
)
