"""Places in S3: parsing of `s3://` URLs and comparison by whole path segments.

Everything that ends in a session policy passes here, so characters with a meaning in IAM policies (`*`, `?`, `$`) and
every spelling that two parsers could read differently (`..`, `//`, percent encoding, backslash) are refused.
"""

import re
from dataclasses import dataclass

from localcloud.databricks.errors import invalid

LONGEST_KEY = 1024
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FORBIDDEN = frozenset("%*?$\\#\"'<>{}|^`")


@dataclass(frozen=True)
class Location:
    """A bucket and the segments of a key prefix in it."""

    bucket: str
    segments: tuple[str, ...]

    @classmethod
    def parse(cls, url: str) -> "Location":
        """Read an `s3://bucket/a/b` URL (`s3a` is read as `s3`; a trailing slash does not count).

        Raises:
            ApiError: 400 when it is another kind of URL or could be read in two ways.
        """
        match = re.fullmatch(r"s3a?://([^/]+)(?:/(.*))?", url, re.DOTALL)
        if match is None or _BUCKET.fullmatch(match[1]) is None or ".." in match[1]:
            raise invalid("a storage location must be s3://<bucket>/<path>")
        key = (match[2] or "").removesuffix("/")
        segments = tuple(key.split("/")) if key else ()
        if any(part in {"", ".", ".."} for part in segments) or len(key.encode()) > LONGEST_KEY:
            raise invalid("a storage path must not have empty, '.' or '..' segments, nor more than 1024 bytes")
        if any(c in _FORBIDDEN or not c.isprintable() for c in key):
            raise invalid("a storage path must not have percent encoding, wildcards, quotes or control characters")
        return cls(match[1], segments)

    @property
    def key(self) -> str:
        """The key prefix without slashes at its ends."""
        return "/".join(self.segments)

    def covers(self, other: "Location") -> bool:
        """Whether `other` is this place or lies in it."""
        return self.bucket == other.bucket and other.segments[: len(self.segments)] == self.segments

    def overlaps(self, other: "Location") -> bool:
        """Whether one of the two lies in the other."""
        return self.covers(other) or other.covers(self)

    def child(self, *segments: str) -> "Location":
        """A place in this one."""
        return Location(self.bucket, (*self.segments, *segments))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.segments else f"s3://{self.bucket}"
