"""``microbiome report``: everything that was found, in one HTML file."""

from __future__ import annotations

import argparse

from microbiome.cli import options

_DESCRIPTION = """Write one self-contained HTML file: it opens without network, its figures can be saved as SVG and its
tables sorted, searched and downloaded. Every part is optional: without a table its section says what is missing. Give
the tables by name, or --results for the folder of the workflow, whose tables are then found under their fixed names. A
table given by name wins, and an option given without a file (--permanova) says that there is none, whatever lies in
the folder."""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``report``."""
    parser = options.add_command(subparsers, "report", _run, "write the HTML report", _DESCRIPTION)
    options.samples(parser)
    options.subjects(parser)
    options.doses(parser, required=False)
    parser.add_argument(
        "--results", metavar="DIR", help="results folder of the workflow; what is in it is used and linked"
    )
    parser.add_argument(
        "--profile",
        nargs="*",
        action=options.Files,
        metavar="FILE",
        help="MetaPhlAn tables or one feature table; gives the taxa their names and lineages",
    )
    single = {
        "reads": "read accounting (qc/reads.tsv)",
        "alpha": "output of `microbiome alpha`",
        "limits": "output of `microbiome limits`",
        "outcomes": "output of `microbiome outcomes`",
        "rates": "output of `microbiome rates`",
        "nulls": "output of `microbiome nulls`",
        "decomposition": "output of `microbiome decomposition`",
        "strain-resolved": "output of `microbiome strains resolve`",
        "strain-sources": "what `microbiome strains resolve --sources` writes",
        "strain-rates": "output of `microbiome strains rates`",
        "strain-summary": "what `microbiome strains rates --summary` writes",
        "strain-persistence": "what `microbiome strains rates --persistence` writes",
        "strain-sweep": "output of `microbiome strains sweep`",
        "strain-thresholds": "output of `microbiome strains thresholds`",
        "strain-audit": "output of `microbiome strains audit`",
        "lesions": "lesions table of the study: tumour assessments",
        "toxicities": "toxicities table of the study: immune-related adverse events",
        "treatments": "treatments table of the study: antibiotics, immunotherapy, ...",
        "clinical-response": "output of `microbiome clinical response`",
        "clinical-assessments": "response of every assessment, of `microbiome clinical response`",
        "clinical-best-responses": "best response of every subject, of `microbiome clinical response`",
        "clinical-survival": "output of `microbiome clinical survival`",
        "clinical-curves": "Kaplan-Meier curves of `microbiome clinical survival`",
        "clinical-toxicity": "output of `microbiome clinical toxicity`",
        "clinical-toxicity-curves": "time to severe toxicity, of `microbiome clinical toxicity`",
        "clinical-donor-clusters": "clusters of donors, of `microbiome clinical toxicity`",
        "clinical-donor-cluster-choice": "how their number was chosen",
        "function-reads": "output of `microbiome function reads`",
        "function-names": "names of functions: function, name",
        "donor-table": "output of `microbiome donors`",
        "donor-spread": "how much donors differ, of `microbiome donors`",
        "donor-taxa": "taxa of concern and of benefit in every donor",
        "donor-match": "scores of the prediction of taxa present after FMT",
        "joins": "output of `microbiome join`",
    }
    for name, meaning in single.items():
        parser.add_argument(f"--{name}", metavar="TSV", help=meaning)
    several = {
        "compare": "outputs of `microbiome compare`, one per column that makes groups",
        "trajectories": "outputs of `microbiome trajectories`, one per column",
        "sensitivity": "outputs of `microbiome sensitivity`, one per column",
        "taxa": "outputs of `microbiome taxa`, one per column",
        "retention": "outputs of `microbiome retention`, one per column, named retention_COLUMN.tsv",
        "changes": "outputs of `microbiome changes`, one per column",
        "strain-compare": "outputs of `microbiome compare` of rates of strains, one per column",
        "associations": "outputs of `microbiome associate`, named associations_NAME.tsv",
        "function-alpha": "outputs of `microbiome alpha` on tables of functions, each as KIND=FILE (ec, ko, pathway)",
        "function-outcomes": "outputs of `microbiome outcomes` on tables of functions, each as KIND=FILE",
        "function-rates": "outputs of `microbiome rates` on functions, each as KIND=FILE",
        "function-nulls": "outputs of `microbiome nulls` on functions, each as KIND=FILE",
        "function-contributions": "outputs of `microbiome function contributions`, each as KIND=FILE",
        "function-compare": "outputs of `microbiome compare` of rates of functions, each as KIND=FILE",
        "function-pcoa": "outputs of `microbiome ordinate` on functions, each as KIND=FILE",
        "function-permanova": "outputs of `microbiome permanova` on functions, each as KIND=FILE",
        "function-similarity": "outputs of `microbiome similarity` on functions, each as KIND=FILE",
        "pcoa": "outputs of `microbiome ordinate`, named pcoa_METRIC.tsv",
        "permanova": "outputs of `microbiome permanova`, named permanova_METRIC.tsv",
        "similarity": "outputs of `microbiome similarity`, named similarity_METRIC.tsv",
    }
    for name, meaning in several.items():
        parser.add_argument(f"--{name}", nargs="*", metavar="TSV", help=meaning)
    parser.add_argument("--provenance", metavar="JSON", help="versions, databases, parameters and checksums of the run")
    parser.add_argument("--link", nargs="*", metavar="FILE", help="further files to link, for example qc/multiqc.html")
    parser.add_argument(
        "--figures", metavar="DIR", help="also write each figure as SVG, with its data as TSV beside it"
    )
    parser.add_argument("--title", default="", metavar="TEXT", help="heading of the page")
    options.output(parser, "report (HTML)")


def _run(arguments: argparse.Namespace) -> int:
    from microbiome.report import data, page

    inputs = data.inputs(
        results=arguments.results,
        **{name: getattr(arguments, name) for name in data.INPUT_NAMES},
    )
    page.report(
        inputs,
        samples=arguments.samples,
        subjects=arguments.subjects,
        doses=arguments.doses,
        output=arguments.output,
        figures=arguments.figures,
        title=arguments.title,
    )
    return 0
