"""The command line: `govtune demo | trace | access | promote | extract | up | down | status`."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from govtune_assets import settings_file
from govtune_assets.settings import Settings

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

    from govtune_assets.demo import DemoFailed
    from govtune_assets.edgar import EdgarError
    from govtune_assets.trace import NotTraceable
    from unitydoor.privileges import Refused
    from unitydoor.secrets import SecretUnusable
    from unitydoor.transport import CatalogError

    own = (DemoFailed, EdgarError, NotTraceable, Refused, SecretUnusable, CatalogError)
    known = (*own, DatabricksError, ValueError, OSError)
    return isinstance(error, known)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="govtune", description="Governed fine-tuning, from filings to a model.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="materialize fiscal years from filings to a registered model")
    demo.add_argument("--years", default="2023,2024", help="fiscal years, separated by commas")
    demo.add_argument("--configuration", default="smollm2-135m", help="name of a file in train/configs/")
    demo.set_defaults(run=_demo)

    trace = commands.add_parser("trace", help="show the filing and paragraph behind a training example")
    trace.add_argument("example_id")
    trace.set_defaults(run=_trace)

    access = commands.add_parser("access", help="compare the declared grants with the catalog's")
    access.add_argument("action", choices=["plan", "apply"])
    access.set_defaults(run=_access)

    promote = commands.add_parser("promote", help="point the alias `champion` at a model version")
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


def _trace(arguments: argparse.Namespace) -> int:
    from govtune_assets.resources.aws import AwsResource
    from govtune_assets.resources.unity_catalog import UnityCatalogResource
    from govtune_assets.trace import trace

    settings = Settings()
    catalog = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region))
    print("\n".join(trace(catalog.door("auditor"), settings, arguments.example_id).lines()))
    return 0


def _access(arguments: argparse.Namespace) -> int:
    from databricks.sdk import WorkspaceClient

    from govtune_assets import grants

    settings = Settings()
    path = os.environ.get("GOVTUNE_ADMIN_CREDENTIALS_FILE")
    if not path:
        raise ValueError(
            "GOVTUNE_ADMIN_CREDENTIALS_FILE is not set: name a JSON file with client_id and client_secret of a "
            "service principal that owns the catalog"
        )
    admin = json.loads(Path(path).read_text())
    workspace = WorkspaceClient(
        host=settings.required("databricks_host"),
        client_id=admin["client_id"],
        client_secret=admin["client_secret"],
        auth_type="oauth-m2m",
        config_file=os.devnull,  # a profile in the home folder must not take part
    )
    found = grants.differences(workspace, settings)
    for difference in found:
        print(difference.statement())
    if arguments.action == "apply":
        grants.apply(workspace, found)
    print(f"{len(found)} grants {'made' if arguments.action == 'apply' else 'are missing'}.")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    from govtune_assets.registry import ModelRegistry
    from govtune_assets.resources.aws import AwsResource
    from govtune_assets.resources.unity_catalog import UnityCatalogResource

    settings = Settings()
    catalog = UnityCatalogResource.from_settings(settings, AwsResource(region=settings.region))
    registry = ModelRegistry(catalog.workspace("registrar"), settings.region)
    registry.set_alias(arguments.model, "champion", arguments.version)
    print(f"champion of {arguments.model} is now version {arguments.version}.")
    return 0


def _extract(arguments: argparse.Namespace) -> int:
    from govtune_assets.extraction import extract_files

    for result in extract_files(arguments.files):
        print(json.dumps(result, ensure_ascii=False))
    return 0


def _local_cloud(words: Sequence[str]) -> int:
    """The local cloud is another program, with options of its own: it is started, never imported."""
    return subprocess.run([sys.executable, "-m", "localcloud", *words], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
