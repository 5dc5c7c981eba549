# What became of each taxon, and the rates.


rule outcomes:
    input:
        profile=PLAN.profile,
        tables=PLAN.tables(),
    output:
        "<results>/outcomes/outcomes.tsv",
    log:
        "<logs>/outcomes.log",
    benchmark:
        "<benchmarks>/outcomes.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        profile=PLAN.profile_options(),
        tables=PLAN.table_options(),
        detection=config["profile"]["detection"],
    message:
        "outcome of every taxon"
    shell:
        "microbiome outcomes {params.profile} {params.tables} --detection {params.detection}"
        " -o {output:q} 2> {log:q}"


rule rates:
    input:
        "<results>/outcomes/outcomes.tsv",
    output:
        "<results>/outcomes/rates.tsv",
    log:
        "<logs>/rates.log",
    benchmark:
        "<benchmarks>/rates.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    message:
        "rates of engraftment and depletion"
    shell:
        "microbiome rates --outcomes {input:q} -o {output:q} 2> {log:q}"
