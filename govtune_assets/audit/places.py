"""Where the files of what was vended lie."""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from govtune_assets.audit.judgement import PlaceOf
from govtune_assets.keys import EXAMPLES, RAW_TABLE, SNAPSHOT, table_location, table_name
from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from unitydoor.catalog import Catalog

_SCHEMES = ("s3://", "s3a://")


def place_of(settings: Settings, door: Callable[[], "Catalog"]) -> PlaceOf:
    """Places of the project's own tables by their names; the catalog is asked for others, once for each.

    `door` is entered only then.
    """
    own = {table_name(settings, key): table_location(settings, key) for key in (RAW_TABLE, EXAMPLES, SNAPSHOT)}

    @cache
    def place(securable: str) -> str:
        for scheme in _SCHEMES:
            if securable.startswith(scheme):
                return "s3://" + securable.removeprefix(scheme)
        return own.get(securable) or _asked(door(), securable)

    return place


def _asked(door: "Catalog", securable: str) -> str:
    from unitydoor.privileges import Refused
    from unitydoor.transport import NotFound

    try:
        return door.table(securable).storage_location
    except (ValueError, Refused, NotFound):  # no table's name, or one that is hidden or gone: nobody tells
        return ""
