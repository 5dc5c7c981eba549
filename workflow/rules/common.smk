# What the rules share; no rules here. The Python behind it is microbiome/workflow.py.
import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.logging import logger

from microbiome.check_folders import results_problems
from microbiome.errors import InputError
from microbiome.failures import failure_report, failures, second_attempts
from microbiome.running import claim, describe, mark
from microbiome.tables import ID_PATTERN
from microbiome.workflow import prepare
from microbiome.workflow_lists import FileLists
from microbiome.workflow_options import (
    compare_options,
    null_options,
    outcome_options,
    permanova_options,
    rate_options,
    sensitivity_options,
    taxon_options,
)
from microbiome.workflow_strains import (
    allele_options,
    rule_options,
    strain_rate_options,
)

# Jobs find the programs of the environment that runs Snakemake, and the scripts of the workflow, without a path in their
# command: a checkout that moves would otherwise rerun everything.
os.environ.update(
    PATH=os.pathsep.join(
        [
            str(Path(sys.executable).parent),
            str(Path(workflow.basedir) / "workflow" / "scripts"),
            os.environ.get("PATH", os.defpath),
        ]
    )
)


def options(**files):
    """Spell out long options of a command, each with one file or several; -x.gz is a file and no option."""
    return shlex.join(
        word
        for name, given in files.items()
        for word in (
            f"--{name}",
            *(
                f"./{path}" if path.startswith("-") else path
                for path in ([given] if isinstance(given, str) else given)
            ),
        )
    )


def passing(kind, path):
    """Return a file on the way, which goes when no job needs it any more, unless the configuration keeps its kind."""
    return path if kind in config["keep"] else temp(path)


def refuse(error):
    """Print what is wrong and end.

    Not a WorkflowError: Snakemake would add the lines of this file, which are not what is wrong.
    """
    lines = [f"{problem.level}: {problem}" for problem in error.problems]
    sys.stderr.write("\n".join([*lines, "Nothing was started.", ""]))
    raise SystemExit(2) from None


def hold():
    """Take the folder for this run, or end: Snakemake lets two runs in that start at the same moment."""
    try:
        claim(results=config["results"])
    except InputError as error:
        refuse(error)


def as_is(value):
    """Return a parameter whose braces Snakemake leaves alone: a column of a table may be called {x}."""
    return lambda wildcards: value


def start():
    """Validate the configuration; in the main process look at all tables, files and tools as well.

    Snakemake itself does not: it passes over a FASTQ file that is missing when the tables made from it are still there.
    Jobs on a cluster read this file again and need the configuration only. Neither do --lint, and the download of the
    database, which is what makes the rest possible.
    """
    # Snakemake makes the path absolute; the messages are to name it as the user does.
    given = [os.path.relpath(path) for path in workflow.overwrite_configfiles]
    source = given[-1] if given else "config/config.yaml"
    linting = "--lint" in sys.argv
    partly = linting or "metaphlan_database" in sys.argv
    try:
        plan, warnings = prepare(
            config,
            source,
            look=workflow.is_main_process and not partly,
            tools=not workflow.deployment_settings.deployment_method,
            lenient=partly,
        )
    except InputError as error:
        refuse(error)
    if workflow.is_main_process and not linting:
        unlock = shlex.join(["snakemake", *sys.argv[1:], "--unlock"])
        locked = describe(unlock=unlock) if "--unlock" not in sys.argv else None
        for problem in [*warnings, *([locked] if locked else [])]:
            logger.warning(f"{problem.level}: {problem}")
        mark()
        os.environ.update(MICROBIOME_COMMAND=shlex.join(sys.argv))
    return plan


PLAN = start()
config = PLAN.config
PROFILERS = PLAN.profilers
STRAINS = PLAN.strains
CLINICAL = PLAN.clinical
ASSOCIATIONS = PLAN.associations
FUNCTIONS = PLAN.functions
LISTS = FileLists(PLAN)
CONFIG_TEXT = json.dumps(config, indent=1) + "\n"
# Below the folder in which the workflow is started, where Snakemake has its own files.
TEXTS = Path(".snakemake", "texts")


def write_texts():
    """Put down the texts that jobs on this machine copy, because no command line takes them."""
    TEXTS.mkdir(parents=True, exist_ok=True)
    (TEXTS / "config.json").write_text(CONFIG_TEXT, encoding="utf-8")
    for name in LISTS.names():
        (TEXTS / f"{name}.txt").write_text(LISTS.text(name), encoding="utf-8")


onstart:
    hold()
    write_texts()
