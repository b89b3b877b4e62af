"""Promotion: the alias `champion` moves to a version whose adapter's gates are open, and to no other."""

import dagster as dg

from govtune_assets import gates
from govtune_assets.registry import CHAMPION, READY, ModelRegistry


class NotPromotable(RuntimeError):
    """The version does not exist, is not ready, or nothing says of which adapter it was made."""


def promote(instance: dg.DagsterInstance, registry: ModelRegistry, model: str, version: int) -> None:
    """Point the alias at a version, if the newest records of all its adapter's gates are passes.

    Args:
        instance: holds the records of the gates.
        registry: entered as who may change the model.
        model: full name, catalog.schema.model.
        version: its number.

    Raises:
        NotPromotable: there is no such version, its registration did not end, or it was not registered by this project.
        gates.GateClosed: names every gate that is closed, and why.
    """
    found = registry.version(model, version)
    if found is None:
        raise NotPromotable(f"{model} has no version {version}.")
    if found.status != READY:
        raise NotPromotable(
            f"Version {version} of {model} is {found.status}, not {READY}: its files may be lacking. Delete it, and "
            "materialize the model again."
        )
    absent = [name for name in ("configuration", "adapter_sha256") if not found.tags.get(name)]
    if absent:
        raise NotPromotable(
            f"Version {version} of {model} has no tag {' and no tag '.join(absent)}: nothing says which gates it "
            "passed. Promote a version that the graph registered."
        )
    adapter = gates.Consumed(gates.adapter_gates(found.tags["configuration"]), found.tags["adapter_sha256"])
    gates.require(instance, f"Promotion of version {version} of {model}", [adapter])
    registry.set_alias(model, CHAMPION, version)
