# What each sample can show, what became of each taxon, and the rates.


rule limits:
    input:
        profile=PLAN.profile,
        tables=PLAN.tables(),
        reads="<results>/qc/reads.tsv",
    output:
        "<results>/outcomes/limits.tsv",
    log:
        "<logs>/limits.log",
    benchmark:
        "<benchmarks>/limits.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options()),
        detection=config["profile"]["detection"],
    message:
        "limit of detection of every sample"
    shell:
        "microbiome limits {params.profile} {params.tables} --reads {input.reads:q} --detection {params.detection}"
        " -o {output:q} 2> {log:q}"


rule outcomes:
    input:
        profile=PLAN.profile,
        tables=PLAN.tables(*PLAN.outcome_tables()),
        reads="<results>/qc/reads.tsv",
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
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options(*PLAN.outcome_tables())),
        calls=as_is(outcome_options(config)),
    message:
        "outcome of every taxon"
    shell:
        "microbiome outcomes {params.profile} {params.tables} --reads {input.reads:q} {params.calls}"
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
