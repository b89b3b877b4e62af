"""Names of catalog objects: the rules of Unity Catalog, and the split of dotted names.

Unity Catalog stores names in lower case; a name has at most 255 characters and no dot, space, slash or control
character ("Names" in the Databricks SQL reference).
"""

from localcloud.databricks.errors import invalid

LONGEST = 255


def object_name(text: str, what: str = "name") -> str:
    """One part of a name, in lower case.

    Raises:
        ApiError: 400 when it breaks the rules.
    """
    if not text or len(text) > LONGEST:
        raise invalid(f"{what} must have 1 to {LONGEST} characters")
    if any(c in "./ \\" or not c.isprintable() for c in text):
        raise invalid(f"{what} must not have a dot, space, slash or control character")
    return text.lower()


def full_name(text: str, levels: int) -> tuple[str, ...]:
    """Parts of a dotted name of exactly `levels` parts, in lower case."""
    parts = text.split(".")
    if len(parts) != levels:
        raise invalid(f"a full name of {levels} parts is needed, separated by dots")
    return tuple(object_name(part, "each part of a full name") for part in parts)
