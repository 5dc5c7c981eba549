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
        text=json.dumps(config, indent=1),
    message:
        "write down the configuration as used"
    shell:
        "printf '%s\\n' {params.text:q} > {output:q} 2> {log:q}"


rule provenance:
    input:
        config="<results>/config.json",
        results=PLAN.measured(),
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
        html="<results>/report.html",
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
        tables=PLAN.table_options(),
        results=lambda wildcards, output: Path(output.html).parent,
        found=PLAN.report_options(),
    message:
        "write the report"
    shell:
        "microbiome report --results {params.results:q} {params.tables} {params.found}"
        " -o {output.html:q} --figures {output.figures:q} 2> {log:q}"
