# What chance alone would do, and rates and taxa between groups of subjects. {by} is empty, or _ and the word of a column.


rule nulls:
    input:
        profile=PLAN.profile,
        tables=PLAN.tables(),
        reads="<results>/qc/reads.tsv",
    output:
        "<results>/outcomes/nulls.tsv",
    log:
        "<logs>/nulls.log",
    benchmark:
        "<benchmarks>/nulls.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options()),
        null=as_is(null_options(config)),
    message:
        "engraftment and depletion against chance"
    shell:
        "microbiome nulls {params.profile} {params.tables} --reads {input.reads:q} {params.null}"
        " -o {output:q} 2> {log:q}"


rule compare:
    input:
        rates="<results>/outcomes/rates.tsv",
        tables=PLAN.tables(),
    output:
        "<results>/outcomes/compare{by}.tsv",
    log:
        "<logs>/compare{by}.log",
    benchmark:
        "<benchmarks>/compare{by}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options()),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        rates=as_is(rate_options(config)),
        test=as_is(compare_options(config)),
    message:
        "compare rates {params.by}"
    shell:
        "microbiome compare --rates {input.rates:q} {params.tables} {params.by} {params.rates} {params.test}"
        " -o {output:q} 2> {log:q}"


rule trajectories:
    input:
        rates="<results>/outcomes/rates.tsv",
        tables=PLAN.tables("subjects", "doses"),
    output:
        "<results>/outcomes/trajectories{by}.tsv",
    log:
        "<logs>/trajectories{by}.log",
    benchmark:
        "<benchmarks>/trajectories{by}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        tables=as_is(PLAN.table_options("subjects", "doses")),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        rates=as_is(rate_options(config)),
        seed=config["seed"],
    message:
        "rates over time {params.by}"
    shell:
        "microbiome trajectories --rates {input.rates:q} {params.tables} {params.by} {params.rates}"
        " --seed {params.seed} -o {output:q} 2> {log:q}"


rule taxa:
    input:
        outcomes="<results>/outcomes/outcomes.tsv",
        profile=PLAN.lineages(),
        tables=PLAN.tables("subjects", "doses"),
    output:
        "<results>/outcomes/taxa{by}.tsv",
    log:
        "<logs>/taxa{by}.log",
    benchmark:
        "<benchmarks>/taxa{by}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        profile=lambda wildcards, input: (
            options(profile=input.profile) if input.profile else ""
        ),
        tables=as_is(PLAN.table_options("subjects", "doses")),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        test=as_is(taxon_options(config)),
    message:
        "what became of each taxon {params.by}"
    shell:
        "microbiome taxa --outcomes {input.outcomes:q} {params.profile} {params.tables} {params.by} {params.test}"
        " -o {output:q} 2> {log:q}"


rule retention:
    input:
        outcomes="<results>/outcomes/outcomes.tsv",
        tables=PLAN.tables("subjects", "doses"),
    output:
        "<results>/outcomes/retention{by}.tsv",
    log:
        "<logs>/retention{by}.log",
    benchmark:
        "<benchmarks>/retention{by}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("subjects", "doses")),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
    message:
        "baseline taxa still present {params.by}"
    shell:
        "microbiome retention --outcomes {input.outcomes:q} {params.tables} {params.by} -o {output:q} 2> {log:q}"


rule changes:
    input:
        profile=PLAN.profile,
        tables=PLAN.tables(),
    output:
        "<results>/outcomes/changes{by}.tsv",
    log:
        "<logs>/changes{by}.log",
    benchmark:
        "<benchmarks>/changes{by}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options()),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        detection=config["profile"]["detection"],
        test=as_is(taxon_options(config)),
    message:
        "change of each taxon {params.by}"
    shell:
        "microbiome changes {params.profile} {params.tables} {params.by} --detection {params.detection} {params.test}"
        " -o {output:q} 2> {log:q}"


rule decomposition:
    input:
        "<results>/outcomes/outcomes.tsv",
    output:
        "<results>/outcomes/decomposition.tsv",
    log:
        "<logs>/decomposition.log",
    benchmark:
        "<benchmarks>/decomposition.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    message:
        "whose abundance each sample is"
    shell:
        "microbiome decomposition --outcomes {input:q} -o {output:q} 2> {log:q}"


rule sensitivity:
    input:
        profile=PLAN.profile,
        tables=PLAN.tables(),
        reads="<results>/qc/reads.tsv",
    output:
        "<results>/outcomes/sensitivity{by}.tsv",
    log:
        "<logs>/sensitivity{by}.log",
    benchmark:
        "<benchmarks>/sensitivity{by}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options()),
        by=lambda wildcards: PLAN.by_option(wildcards.by, "sensitivity"),
        grid=as_is(sensitivity_options(config)),
        test=as_is(compare_options(config)),
    message:
        "rates over thresholds and depths {params.by}"
    shell:
        "microbiome sensitivity {params.profile} {params.tables} --reads {input.reads:q} {params.by} {params.grid}"
        " {params.test} -o {output:q} 2> {log:q}"
