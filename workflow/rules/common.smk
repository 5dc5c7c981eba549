# What the rules share; no rules here. The Python behind it is microbiome/workflow.py.
import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.logging import logger

from microbiome.errors import InputError
from microbiome.tables import ID_PATTERN
from microbiome.workflow import prepare
from microbiome.workflow_association import AssociationPlan
from microbiome.workflow_clinical import ClinicalPlan
from microbiome.workflow_function import FunctionPlan
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
    StrainPlan,
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
    """Spell out long options of a command, each with one file or several."""
    return shlex.join(
        word
        for name, given in files.items()
        for word in (f"--{name}", *([given] if isinstance(given, str) else given))
    )


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
        # Not a WorkflowError: Snakemake would add the lines of this file, which are not what is wrong.
        lines = [f"{problem.level}: {problem}" for problem in error.problems]
        sys.stderr.write("\n".join([*lines, "Nothing was started.", ""]))
        raise SystemExit(2) from None
    if workflow.is_main_process and not linting:
        for problem in warnings:
            logger.warning(f"warning: {problem}")
        os.environ.update(MICROBIOME_COMMAND=shlex.join(sys.argv))
    return plan


PLAN = start()
config = PLAN.config
STRAINS = StrainPlan(PLAN)
CLINICAL = ClinicalPlan(PLAN)
ASSOCIATIONS = AssociationPlan(PLAN)
FUNCTIONS = FunctionPlan(PLAN)
