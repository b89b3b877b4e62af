"""The command line: `govtune demo | fetch | trace | dataset | audit | access | package | promote | extract`.

`up`, `down` and `status` are the local cloud's.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from govtune_assets import settings_file
from govtune_assets.settings import Settings

if TYPE_CHECKING:
    from govtune_assets.access.command import Outcome
    from unitydoor.catalog import Catalog

INTERRUPTED = 130
"""Exit status of a command that Ctrl-C ended, as shells count it."""

LOCAL_CLOUD = {"up": "start", "down": "stop", "status": "show"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors that a person can mend are one line, not a stack trace."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in LOCAL_CLOUD:
        return _local_cloud(words)
    arguments = _parser().parse_args(words)
    try:
        settings_file.adopt(os.environ)
        return int(arguments.run(arguments))
    except Exception as error:
        if not _mendable(error):
            raise
        print(f"govtune: {error}", file=sys.stderr)
        return 1


def _mendable(error: Exception) -> bool:
    """Whether the message alone says what to do. Libraries are asked only now: a command loads what it needs."""
    from databricks.sdk.errors.base import DatabricksError

    from govtune_assets.access.differences import NotApplied
    from govtune_assets.audit.objects import AuditUnreadable
    from govtune_assets.dataset import NoSuchVersion
    from govtune_assets.demo import DemoFailed
    from govtune_assets.edgar import EdgarError
    from govtune_assets.gates import GateClosed
    from govtune_assets.promotion import NotPromotable
    from govtune_assets.spark_package import NotPackaged
    from govtune_assets.trace import NotTraceable
    from unitydoor.privileges import Refused
    from unitydoor.secrets import SecretUnusable
    from unitydoor.transport import CatalogError

    commands = (AuditUnreadable, DemoFailed, EdgarError, NoSuchVersion, NotApplied, NotPackaged, NotTraceable)
    known = (
        *commands,
        GateClosed,
        NotPromotable,
        Refused,
        SecretUnusable,
        CatalogError,
        DatabricksError,
        ValueError,
        OSError,
    )
    return isinstance(error, known)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="govtune", description="Governed fine-tuning, from filings to a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="materialize fiscal years from filings to a registered model")
    demo.add_argument("--years", default="2023,2024", help="fiscal years, separated by commas")
    demo.add_argument("--configuration", default="smollm2-135m", help="name of a file in train/configs/")
    demo.set_defaults(run=_demo)

    fetch = commands.add_parser("fetch", help="fill the document cache ahead of a backfill; writes no table")
    fetch.add_argument("years", nargs="+", metavar="YEAR", help="fiscal year")
    fetch.set_defaults(run=_fetch)

    trace = commands.add_parser("trace", help="show the filing and paragraph behind a training example")
    trace.add_argument("example_id")
    trace.set_defaults(run=_trace)

    _add_dataset(commands.add_parser("dataset", help="show the training set's versions, their changes and examples"))

    audit = commands.add_parser("audit", help="list the objects of table data that a run read, and by which grant")
    audit.add_argument("--run", required=True, metavar="RUN", dest="run_id", help="id of a Dagster run")
    audit.set_defaults(run=_audit)

    _add_access(commands.add_parser("access", help="compare declared grants with the catalog's; explain a refusal"))

    package = commands.add_parser(
        "package", help="pack and upload the Spark jobs' Python environment and jars; print the settings that use them"
    )
    package.set_defaults(run=_package)

    promote = commands.add_parser("promote", help="point the alias `champion` at a model version whose gates are open")
    promote.add_argument("model", help="full name, catalog.schema.model")
    promote.add_argument("version", type=int)
    promote.set_defaults(run=_promote)

    extract = commands.add_parser("extract", help="extract Item 1A of filings, as JSON lines")
    extract.add_argument("files", nargs="+", type=Path)
    extract.set_defaults(run=_extract)

    for action, text in LOCAL_CLOUD.items():
        commands.add_parser(action, help=f"{text} the local cloud", add_help=False)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from govtune_assets.demo import run_demo

    return run_demo(arguments.years.split(","), arguments.configuration)


def _package(_: argparse.Namespace) -> int:
    from govtune_assets import spark_package
    from govtune_assets.resources.aws import AwsResource

    settings = Settings()
    s3 = AwsResource(region=settings.region).client("s3")
    print("\n".join(spark_package.package(s3, settings.work_bucket).settings()))
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    from govtune_assets.fetch import run_fetch
    from govtune_assets.resources.edgar import EdgarResource

    try:
        return run_fetch(EdgarResource.from_settings(Settings()), arguments.years, sys.stderr, sys.stdout)
    except KeyboardInterrupt:
        print("govtune: interrupted; what was fetched is in the cache", file=sys.stderr)
        return INTERRUPTED


def _trace(arguments: argparse.Namespace) -> int:
    from govtune_assets.trace import trace

    settings = Settings()
    print("\n".join(trace(_auditor(settings), settings, arguments.example_id).lines()))
    return 0


def _auditor(settings: Settings) -> "Catalog":
    """The one door, entered as the auditor."""
    from govtune_assets.resources.aws import AwsResource
    from govtune_assets.resources.unity_catalog import UnityCatalogResource

    return UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region)).door("auditor")


def _add_dataset(dataset: argparse.ArgumentParser) -> None:
    verbs = dataset.add_subparsers(required=True, metavar="VERB")
    show = verbs.add_parser("show", help="list the versions, and one of them in full")
    show.add_argument("version", nargs="?", type=int, help="number of a version; default: the newest")
    show.set_defaults(run=_dataset_show)
    diff = verbs.add_parser("diff", help="count and name added, removed and edited examples; default: of the newest")
    diff.add_argument("before", nargs="?", type=int, help="number of a version")
    diff.add_argument("after", nargs="?", type=int, help="number of a version")
    diff.set_defaults(run=_dataset_diff)
    sample = verbs.add_parser("sample", help="print examples with their texts")
    sample.add_argument("--version", type=int, help="number of a version; default: the newest")
    sample.add_argument("--task", help="T1, T2, …; default: each")
    sample.add_argument("--split", default="train", help="train, validation, test_company, test_year, …")
    sample.add_argument("--rows", type=_positive, default=2, help="examples of each task (2)")
    sample.set_defaults(run=_dataset_sample)
    card = verbs.add_parser("card", help="write the data card of a version, in Markdown")
    card.add_argument("--version", type=int, help="number of a version; default: the newest")
    card.add_argument("--output", type=Path, help="file to write; default: the terminal")
    card.set_defaults(run=_dataset_card)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


def _dataset_show(arguments: argparse.Namespace) -> int:
    from govtune_assets import dataset_command

    settings = Settings()
    print("\n".join(dataset_command.show(_auditor(settings), settings, arguments.version)))
    return 0


def _dataset_diff(arguments: argparse.Namespace) -> int:
    from govtune_assets import dataset_command

    settings = Settings()
    print("\n".join(dataset_command.diff(_auditor(settings), settings, arguments.before, arguments.after)))
    return 0


def _dataset_sample(arguments: argparse.Namespace) -> int:
    from govtune_assets import dataset_command

    settings = Settings()
    wanted = {"task": arguments.task, "split": arguments.split, "rows": arguments.rows}
    print("\n".join(dataset_command.examples(_auditor(settings), settings, arguments.version, **wanted)))
    return 0


def _dataset_card(arguments: argparse.Namespace) -> int:
    from govtune_assets import dataset_command

    settings = Settings()
    text = dataset_command.card(_auditor(settings), settings, arguments.version)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


def _add_access(access: argparse.ArgumentParser) -> None:
    from unitydoor.privileges import Action

    status = "Exit status: 0 no difference, 2 a difference, 1 an error."
    verbs = access.add_subparsers(required=True, metavar="VERB")
    plan = verbs.add_parser("plan", help="show missing (+) and surplus (-) grants", epilog=status)
    plan.set_defaults(run=_access_plan)
    apply = verbs.add_parser("apply", help="make the missing grants", epilog="Exit status: 0 done, 1 an error.")
    apply.add_argument("--revoke", action="store_true", help="also revoke the surplus grants that `plan` shows")
    apply.set_defaults(run=_access_apply)
    explain = verbs.add_parser(
        "explain",
        help="walk the chain of privileges behind one action",
        epilog="Exit status: 0 allowed, 2 something is missing, 1 an error.",
    )
    explain.add_argument("principal", help="loader, curator, trainer, registrar, auditor, or an application id")
    explain.add_argument("action", type=Action, metavar="action", help=", ".join(Action))
    explain.add_argument("object", nargs="?", default="", help="catalog.schema.name, or s3://bucket/path")
    explain.add_argument("--location", default="", help="s3:// address of a table that may have to be made")
    explain.set_defaults(run=_access_explain)


def _audit(arguments: argparse.Namespace) -> int:
    import dagster as dg

    from govtune_assets.audit import ledger, report
    from govtune_assets.audit.objects import LogObjects
    from govtune_assets.resources.aws import AwsResource

    settings = Settings()
    objects = LogObjects(AwsResource(region=settings.region).client("s3"))
    with dg.DagsterInstance.get() as instance:
        audited = ledger.audit_run(objects, ledger.Logs.of(settings), instance, arguments.run_id)
    print("\n".join(report.lines(audited)))
    return 0


def _access_plan(arguments: argparse.Namespace) -> int:
    from govtune_assets.access.command import run_plan

    return _shown(run_plan(Settings(), os.environ))


def _access_apply(arguments: argparse.Namespace) -> int:
    from govtune_assets.access.command import run_apply

    return _shown(run_apply(Settings(), os.environ, revoke=arguments.revoke))


def _access_explain(arguments: argparse.Namespace) -> int:
    from govtune_assets.access.command import run_explain

    asked = (arguments.principal, arguments.action, arguments.object, arguments.location)
    return _shown(run_explain(Settings(), os.environ, *asked))


def _shown(outcome: "Outcome") -> int:
    print("\n".join(outcome.lines))
    return outcome.status


def _promote(arguments: argparse.Namespace) -> int:
    import dagster as dg

    from govtune_assets.promotion import promote
    from govtune_assets.registry import ModelRegistry
    from govtune_assets.resources.aws import AwsResource
    from govtune_assets.resources.unity_catalog import UnityCatalogResource

    settings = Settings()
    catalog = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region))
    registry = ModelRegistry(catalog.workspace("registrar"), settings.region)
    with dg.DagsterInstance.get() as instance:
        promote(instance, registry, arguments.model, arguments.version)
    print(f"champion of {arguments.model} is now version {arguments.version}.")
    return 0


def _extract(arguments: argparse.Namespace) -> int:
    from govtune_assets.extraction import extract_file

    unreadable = 0
    for path in arguments.files:
        try:
            row = extract_file(path)
        except OSError as error:
            print(f"govtune: cannot read {path}: {error.strerror}; the other files go on", file=sys.stderr)
            unreadable += 1
        else:
            print(json.dumps(row, ensure_ascii=False), flush=True)
    return min(unreadable, 1)


def _local_cloud(words: Sequence[str]) -> int:
    """The local cloud is another program, with options of its own: it is started, never imported."""
    return subprocess.run([sys.executable, "-m", "localcloud", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
