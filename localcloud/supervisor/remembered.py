"""The source of filings that a state folder was made from: remembered when a cloud starts, served again by the next."""

from __future__ import annotations

from pydantic import TypeAdapter, ValidationError

from localcloud.supervisor.errors import LocalCloudError
from localcloud.supervisor.layout import EdgarSource, Layout
from localcloud.supervisor.private import write_private


def remember(layout: Layout, source: EdgarSource) -> None:
    """Writes kind, folder, number of companies and contact into the state folder, for its owner alone."""
    write_private(layout.edgar_source, TypeAdapter(EdgarSource).dump_json(source, indent=2).decode() + "\n")


def remembered(layout: Layout) -> EdgarSource | None:
    """The source as it was remembered, whether or not its folder is still there; None for a new state.

    Raises LocalCloudError on a file of another shape.
    """
    try:
        source = TypeAdapter(EdgarSource).validate_json(layout.edgar_source.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        what = error.errors(include_input=False)[0]["msg"]
        raise LocalCloudError(f"{layout.edgar_source} is not a record of this version ({what}); delete it.") from None
    if (source.kind == "folder") != (source.folder is not None):
        raise LocalCloudError(f"{layout.edgar_source} names no folder for its kind {source.kind}; delete it.")
    return source


def asked_for(edgar: str | None, *, companies: int | None, contact: str) -> EdgarSource | None:
    """The source that a command line names; None where it leaves the choice to the state folder.

    A number of companies is the size of the sample corpus, and so names that one.
    Raises LocalCloudError as `EdgarSource.parse` does.
    """
    if edgar is None and companies is None:
        return None
    return EdgarSource.parse("sample" if edgar is None else edgar, companies=companies, contact=contact)


def choose(layout: Layout, asked: EdgarSource | None, *, contact: str) -> EdgarSource:
    """The source to serve: the one asked for, else the remembered one, else the sample corpus.

    Raises LocalCloudError when the remembered folder is gone, and as `EdgarSource.parse` does.
    """
    if asked is not None:
        return asked
    before = remembered(layout)
    if before is None:
        return EdgarSource.parse("sample", companies=None, contact=contact)
    if before.folder is not None and not before.folder.is_dir():
        raise LocalCloudError(
            f"The state in {layout.state} was made from the filings in {before.folder}, which is not there any more. "
            "Put it back, or name another source: EDGAR=sample, EDGAR=live or EDGAR=FOLDER."
        )
    text = before.kind if before.folder is None else str(before.folder)
    return EdgarSource.parse(text, companies=before.companies, contact=contact or before.contact)


def change_of_source(layout: Layout, source: EdgarSource) -> str:
    """What to tell the user when a state gets another source than it was made from; empty when it does not."""
    before = remembered(layout)
    if before is None or before.describe() == source.describe():
        return ""
    return (
        f"this state was made from {before.describe()}; now serving {source.describe()}: "
        "filings of one year will be replaced when they are materialized"
    )
