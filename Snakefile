# The workflow: from FASTQ, or from finished profiles, to diversity, outcomes and the report.
#
#   snakemake --cores 8                                   everything, on this machine
#   snakemake --workflow-profile profiles/slurm           everything, on a cluster
#   snakemake --cores 1 metaphlan_database                only download the MetaPhlAn database (never done unasked)
#
# Another configuration: --configfile FILE. What will be done, without doing it: --dry-run.
from snakemake.utils import min_version

min_version("9.20")


# A configuration that is named stands alone: Snakemake would fill it up from the one in config/.
if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"


# <results> in the paths of the rules is the folder named in the configuration.
pathvars:
    results=config["results"],
    logs=f"{config['results']}/logs",
    benchmarks=f"{config['results']}/benchmarks",


wildcard_constraints:
    sample=ID_PATTERN,
    metric="[a-z_]+",
    by="(_[A-Za-z0-9._-]+)?",
    beside="(strainphlan_)?",
    name=ID_PATTERN,
    group="ec|ko|pathway|genefamilies",


localrules:
    all,
    list_files,
    record_config,
    metaphlan_database,


include: "workflow/rules/lists.smk"
include: "workflow/rules/reads.smk"
include: "workflow/rules/profiles.smk"
include: "workflow/rules/profilers.smk"
include: "workflow/rules/qc.smk"
include: "workflow/rules/diversity.smk"
include: "workflow/rules/outcomes.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/strains.smk"
include: "workflow/rules/function.smk"
include: "workflow/rules/clinical.smk"
include: "workflow/rules/association.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        lambda wildcards: PLAN.targets(),
    message:
        "all results are in place"


onsuccess:
    sys.stderr.write(second_attempts(log))


onerror:
    sys.stderr.write(
        second_attempts(log) + failure_report(*failures(workflow, log))
    )
    # On a full disk a job cannot even write down why it failed.
    sys.stderr.writelines(
        f"{p.level}: {p}\n" for p in results_problems(config["results"])
    )
