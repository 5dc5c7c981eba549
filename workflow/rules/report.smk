# The configuration as used, the provenance, and the report.


rule record_config:
    output:
        "<results>/config.json",
    log:
        "<logs>/record_config.log",
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    params:
        text=as_is(CONFIG_TEXT),
        source=TEXTS / "config.json",
    message:
        "write down the configuration as used"
    shell:
        "(cp {params.source:q} {output:q}.part && mv {output:q}.part {output:q}) 2> {log:q}"


rule provenance:
    input:
        config="<results>/config.json",
        results=PLAN.measured(),
        versions=[*STRAINS.versions(), *FUNCTIONS.versions()],
    output:
        "<results>/provenance.json",
    log:
        "<logs>/provenance.log",
    benchmark:
        "<benchmarks>/provenance.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    message:
        "write down versions, parameters and checksums"
    shell:
        'microbiome provenance --config {input.config:q} --command "${{MICROBIOME_COMMAND:-}}" -o {output:q} 2> {log:q}'


rule report:
    input:
        tables=PLAN.tables(),
        patients=[*CLINICAL.lesions(), *CLINICAL.events()],
        results=PLAN.measured(),
        provenance="<results>/provenance.json",
    output:
        # Not removed before the step begins: the last report stays where a new one cannot be made.
        html=update("<results>/report.html"),
        figures=directory("<results>/figures"),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options()),
        results=lambda wildcards, output: Path(output.html).parent,
        found=as_is(PLAN.report_options()),
    message:
        "write the report"
    shell:
        "microbiome report --results {params.results:q} {params.tables} {params.found}"
        " -o {output.html:q} --figures {output.figures:q} 2> {log:q}"
