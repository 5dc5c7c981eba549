# Alpha- and beta-diversity.


rule alpha:
    input:
        profile=PLAN.profile,
        tree=PLAN.tree(),
    output:
        "<results>/diversity/alpha.tsv",
    log:
        "<logs>/alpha.log",
    benchmark:
        "<benchmarks>/alpha.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        metrics=as_is(config["diversity"]["alpha"]),
        tree=as_is(PLAN.tree_option()),
    message:
        "alpha-diversity"
    shell:
        "microbiome alpha {params.profile} --metric {params.metrics} {params.tree} -o {output:q} 2> {log:q}"


rule beta:
    input:
        profile=PLAN.profile,
        tree=lambda wildcards: PLAN.tree(wildcards.metric),
    output:
        "<results>/diversity/beta_{metric}.tsv",
    log:
        "<logs>/beta/{metric}.log",
    benchmark:
        "<benchmarks>/beta/{metric}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tree=lambda wildcards: PLAN.tree_option(wildcards.metric),
    message:
        "beta-diversity: {wildcards.metric}"
    shell:
        "microbiome beta {params.profile} --metric {wildcards.metric} {params.tree} -o {output:q} 2> {log:q}"


rule ordinate:
    input:
        "<results>/diversity/beta_{metric}.tsv",
    output:
        "<results>/diversity/pcoa_{metric}.tsv",
    log:
        "<logs>/ordinate/{metric}.log",
    benchmark:
        "<benchmarks>/ordinate/{metric}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    message:
        "ordination: {wildcards.metric}"
    shell:
        "microbiome ordinate --distances {input:q} -o {output:q} 2> {log:q}"


rule permanova:
    input:
        distances="<results>/diversity/beta_{metric}.tsv",
        tables=PLAN.tables("samples", "subjects"),
    output:
        "<results>/diversity/permanova_{metric}.tsv",
    log:
        "<logs>/permanova/{metric}.log",
    benchmark:
        "<benchmarks>/permanova/{metric}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "subjects")),
        test=as_is(permanova_options(config)),
    message:
        "PERMANOVA: {wildcards.metric}"
    shell:
        "microbiome permanova --distances {input.distances:q} {params.tables} {params.test} -o {output:q} 2> {log:q}"


rule similarity:
    input:
        distances="<results>/diversity/beta_{metric}.tsv",
        tables=PLAN.tables("samples", "doses"),
    output:
        "<results>/diversity/similarity_{metric}.tsv",
    log:
        "<logs>/similarity/{metric}.log",
    benchmark:
        "<benchmarks>/similarity/{metric}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
    message:
        "similarity to donor and baseline: {wildcards.metric}"
    shell:
        "microbiome similarity --distances {input.distances:q} {params.tables} -o {output:q} 2> {log:q}"
