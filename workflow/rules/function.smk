# What the microbes can do: gene families with HUMAnN, or finished tables; then ECs, KOs and pathways, each measured by
# the commands that measure taxa. {group} is a kind of function; {by} is empty, or _ and the word of a column.


rule function_maps:
    output:
        names="<results>/function/names.tsv",
        species="<results>/function/species.tsv",
        ec_map=FUNCTIONS.map_made(),
    log:
        "<logs>/function_maps.log",
    benchmark:
        "<benchmarks>/function_maps.tsv"
    conda:
        "../../envs/humann.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        ec_map=lambda wildcards, output: (
            shlex.join(["--ec-map", *output.ec_map]) if output.ec_map else ""
        ),
    message:
        "names and maps that come with HUMAnN"
    shell:
        "humann_maps.py --names {output.names:q} --species {output.species:q} {params.ec_map} > {log:q} 2>&1"


rule humann:
    input:
        reads=lambda wildcards: PLAN.to_profile(wildcards.sample),
        profile=lambda wildcards: FUNCTIONS.profile(wildcards.sample),
        databases=FUNCTIONS.databases(),
    output:
        genefamilies="<results>/function/humann/{sample}_genefamilies.tsv",
        pathabundance="<results>/function/humann/{sample}_pathabundance.tsv",
        pathcoverage="<results>/function/humann/{sample}_pathcoverage.tsv",
        counts=temp("<results>/function/humann/{sample}_counts.tsv"),
    log:
        "<logs>/humann/{sample}.log",
    benchmark:
        "<benchmarks>/humann/{sample}.tsv"
    conda:
        "../../envs/humann.yaml"
    threads: lambda wildcards: PLAN.threads(wildcards.sample, 8)
    resources:
        mem_mb=lambda wildcards, attempt: FUNCTIONS.memory() * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 60, 300)
        * attempt,
    params:
        databases=as_is(FUNCTIONS.database_options()),
        profile=lambda wildcards, input: (
            options(profile=input.profile) if input.profile else ""
        ),
        min_reads=config["min_reads"],
        extra=as_is(config["function"]["extra"]),
    message:
        "{wildcards.sample}: gene families and pathways with HUMAnN"
    shell:
        "humann_sample.py --sample {wildcards.sample} --reads {input.reads:q} --min-reads {params.min_reads}"
        " {params.databases} {params.profile} --threads {threads} --tmp {resources.tmpdir:q}"
        " --genefamilies {output.genefamilies:q} --pathabundance {output.pathabundance:q}"
        " --pathcoverage {output.pathcoverage:q} --counts {output.counts:q} -- {params.extra} > {log:q} 2>&1"


rule humann_versions:
    input:
        PLAN.per_sample("function/humann/{sample}_genefamilies.tsv"),
    output:
        "<results>/function/versions.tsv",
    log:
        "<logs>/humann_versions.log",
    benchmark:
        "<benchmarks>/humann_versions.tsv"
    conda:
        "../../envs/humann.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    message:
        "versions of HUMAnN and the programs that it calls"
    shell:
        "tool_versions.py humann metaphlan bowtie2 diamond glpsol --first humann --out {output:q} > {log:q} 2>&1"


rule function_reads:
    input:
        counts=lambda wildcards: LISTS.files("function_reads"),
        listed=LISTS.path("function_reads"),
    output:
        "<results>/function/reads.tsv",
    log:
        "<logs>/function_reads.log",
    benchmark:
        "<benchmarks>/function_reads.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    message:
        "what HUMAnN could place of each sample"
    shell:
        "microbiome function reads @{input.listed:q} -o {output:q} 2> {log:q}"


rule function_join:
    input:
        tables=lambda wildcards: FUNCTIONS.tables(wildcards.group),
        listed=lambda wildcards: LISTS.path(f"function_{wildcards.group}"),
        map=lambda wildcards: FUNCTIONS.maps(wildcards.group),
    output:
        whole="<results>/function/{group}.tsv",
        stratified="<results>/function/{group}_stratified.tsv",
    log:
        "<logs>/function_join/{group}.log",
    benchmark:
        "<benchmarks>/function_join/{group}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        map=lambda wildcards: FUNCTIONS.map_option(wildcards.group),
    message:
        "{wildcards.group}: join, regroup and normalise"
    shell:
        "microbiome function join @{input.listed:q} {params.map} --stratified {output.stratified:q} -o {output.whole:q}"
        " 2> {log:q}"


rule function_limits:
    input:
        profile="<results>/function/{group}.tsv",
        tables=PLAN.tables(),
    output:
        "<results>/function/limits_{group}.tsv",
    log:
        "<logs>/function_limits/{group}.log",
    benchmark:
        "<benchmarks>/function_limits/{group}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        profile=lambda wildcards: FUNCTIONS.profile_option(wildcards.group),
        tables=as_is(PLAN.table_options()),
        detection=config["function"]["detection"],
    message:
        "{wildcards.group}: limit of detection of every sample"
    shell:
        "microbiome limits {params.profile} {params.tables} --detection {params.detection}"
        " -o {output:q} 2> {log:q}"


rule function_outcomes:
    input:
        profile="<results>/function/{group}.tsv",
        tables=PLAN.tables(*PLAN.outcome_tables()),
    output:
        "<results>/function/outcomes_{group}.tsv",
    log:
        "<logs>/function_outcomes/{group}.log",
    benchmark:
        "<benchmarks>/function_outcomes/{group}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        profile=lambda wildcards: FUNCTIONS.profile_option(wildcards.group),
        tables=as_is(PLAN.table_options(*PLAN.outcome_tables())),
        calls=as_is(outcome_options(FUNCTIONS.measuring)),
    message:
        "{wildcards.group}: outcome of every function"
    shell:
        "microbiome outcomes {params.profile} {params.tables} {params.calls}"
        " -o {output:q} 2> {log:q}"


rule function_nulls:
    input:
        profile="<results>/function/{group}.tsv",
        tables=PLAN.tables(),
    output:
        "<results>/function/nulls_{group}.tsv",
    log:
        "<logs>/function_nulls/{group}.log",
    benchmark:
        "<benchmarks>/function_nulls/{group}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        profile=lambda wildcards: FUNCTIONS.profile_option(wildcards.group),
        tables=as_is(PLAN.table_options()),
        null=as_is(null_options(FUNCTIONS.measuring)),
    message:
        "{wildcards.group}: engraftment and depletion against chance"
    shell:
        "microbiome nulls {params.profile} {params.tables} {params.null}"
        " -o {output:q} 2> {log:q}"


use rule rates as function_rates with:
    input:
        "<results>/function/outcomes_{group}.tsv",
    output:
        "<results>/function/rates_{group}.tsv",
    log:
        "<logs>/function_rates_{group}.log",
    benchmark:
        "<benchmarks>/function_rates_{group}.tsv"
    message:
        "{wildcards.group}: rates of engraftment and depletion"


use rule alpha as function_alpha with:
    input:
        profile="<results>/function/{group}.tsv",
        tree=[],
    output:
        "<results>/function/alpha_{group}.tsv",
    log:
        "<logs>/function_alpha_{group}.log",
    benchmark:
        "<benchmarks>/function_alpha_{group}.tsv"
    params:
        profile=lambda wildcards: FUNCTIONS.profile_option(wildcards.group),
        metrics=as_is(FUNCTIONS.alpha),
        tree="",
    message:
        "{wildcards.group}: alpha-diversity"


use rule beta as function_beta with:
    input:
        profile="<results>/function/{group}.tsv",
        tree=[],
    output:
        "<results>/function/beta_{metric}_{group}.tsv",
    log:
        "<logs>/function_beta_{metric}_{group}.log",
    benchmark:
        "<benchmarks>/function_beta_{metric}_{group}.tsv"
    params:
        profile=lambda wildcards: FUNCTIONS.profile_option(wildcards.group),
        tree="",
    message:
        "{wildcards.group}: beta-diversity {wildcards.metric}"


use rule ordinate as function_ordinate with:
    input:
        "<results>/function/beta_{metric}_{group}.tsv",
    output:
        "<results>/function/pcoa_{metric}_{group}.tsv",
    log:
        "<logs>/function_pcoa_{metric}_{group}.log",
    benchmark:
        "<benchmarks>/function_pcoa_{metric}_{group}.tsv"
    message:
        "{wildcards.group}: ordination {wildcards.metric}"


use rule permanova as function_permanova with:
    input:
        distances="<results>/function/beta_{metric}_{group}.tsv",
        tables=PLAN.tables("samples", "subjects"),
    output:
        "<results>/function/permanova_{metric}_{group}.tsv",
    log:
        "<logs>/function_permanova_{metric}_{group}.log",
    benchmark:
        "<benchmarks>/function_permanova_{metric}_{group}.tsv"
    params:
        tables=as_is(PLAN.table_options("samples", "subjects")),
        test=as_is(permanova_options(config)),
    message:
        "{wildcards.group}: PERMANOVA {wildcards.metric}"


use rule similarity as function_similarity with:
    input:
        distances="<results>/function/beta_{metric}_{group}.tsv",
        tables=PLAN.tables("samples", "doses"),
    output:
        "<results>/function/similarity_{metric}_{group}.tsv",
    log:
        "<logs>/function_similarity_{metric}_{group}.log",
    benchmark:
        "<benchmarks>/function_similarity_{metric}_{group}.tsv"
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
    message:
        "{wildcards.group}: similarity to donor and baseline, {wildcards.metric}"


use rule compare as function_compare with:
    input:
        rates="<results>/function/rates_{group}.tsv",
        tables=PLAN.tables(),
    output:
        "<results>/function/compare_{group}{by}.tsv",
    log:
        "<logs>/function_compare_{group}{by}.log",
    benchmark:
        "<benchmarks>/function_compare_{group}{by}.tsv"
    params:
        tables=as_is(PLAN.table_options()),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        rates=as_is(rate_options(config)),
        test=as_is(compare_options(config)),
    message:
        "{wildcards.group}: compare rates {params.by}"


use rule trajectories as function_trajectories with:
    input:
        rates="<results>/function/rates_{group}.tsv",
        tables=PLAN.tables("subjects", "doses"),
    output:
        "<results>/function/trajectories_{group}{by}.tsv",
    log:
        "<logs>/function_trajectories_{group}{by}.log",
    benchmark:
        "<benchmarks>/function_trajectories_{group}{by}.tsv"
    params:
        tables=as_is(PLAN.table_options("subjects", "doses")),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        rates=as_is(rate_options(config)),
        seed=config["seed"],
    message:
        "{wildcards.group}: rates over time {params.by}"


use rule taxa as function_taxa with:
    input:
        outcomes="<results>/function/outcomes_{group}.tsv",
        profile=[],
        tables=PLAN.tables("subjects", "doses"),
    output:
        "<results>/function/taxa_{group}{by}.tsv",
    log:
        "<logs>/function_taxa_{group}{by}.log",
    benchmark:
        "<benchmarks>/function_taxa_{group}{by}.tsv"
    params:
        profile="",
        tables=as_is(PLAN.table_options("subjects", "doses")),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        test=as_is(taxon_options(config)),
    message:
        "{wildcards.group}: what became of each function {params.by}"


use rule retention as function_retention with:
    input:
        outcomes="<results>/function/outcomes_{group}.tsv",
        tables=PLAN.tables("subjects", "doses"),
    output:
        "<results>/function/retention_{group}{by}.tsv",
    log:
        "<logs>/function_retention_{group}{by}.log",
    benchmark:
        "<benchmarks>/function_retention_{group}{by}.tsv"
    params:
        tables=as_is(PLAN.table_options("subjects", "doses")),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
    message:
        "{wildcards.group}: baseline functions still present {params.by}"


use rule changes as function_changes with:
    input:
        profile="<results>/function/{group}.tsv",
        tables=PLAN.tables(),
    output:
        "<results>/function/changes_{group}{by}.tsv",
    log:
        "<logs>/function_changes_{group}{by}.log",
    benchmark:
        "<benchmarks>/function_changes_{group}{by}.tsv"
    params:
        profile=lambda wildcards: FUNCTIONS.profile_option(wildcards.group),
        tables=as_is(PLAN.table_options()),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        detection=config["function"]["detection"],
        test=as_is(taxon_options(config)),
    message:
        "{wildcards.group}: change of each function {params.by}"


use rule decomposition as function_decomposition with:
    input:
        "<results>/function/outcomes_{group}.tsv",
    output:
        "<results>/function/decomposition_{group}.tsv",
    log:
        "<logs>/function_decomposition_{group}.log",
    benchmark:
        "<benchmarks>/function_decomposition_{group}.tsv"
    message:
        "{wildcards.group}: whose abundance each sample is"


rule function_contributions:
    input:
        whole="<results>/function/{group}.tsv",
        stratified="<results>/function/{group}_stratified.tsv",
        outcomes="<results>/function/outcomes_{group}.tsv",
        taxa="<results>/outcomes/outcomes.tsv",
        lineages=PLAN.lineages(),
        species=FUNCTIONS.species(),
        tables=PLAN.tables("samples", "doses"),
    output:
        "<results>/function/contributions_{group}.tsv",
    log:
        "<logs>/function_contributions/{group}.log",
    benchmark:
        "<benchmarks>/function_contributions/{group}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
        names=lambda wildcards, input: " ".join(
            shlex.join([option, *files])
            for option, files in (
                ("--taxa-profile", input.lineages),
                ("--species", input.species),
            )
            if files
        ),
    message:
        "{wildcards.group}: taxa behind what was gained and lost"
    shell:
        "microbiome function contributions --profile {input.whole:q} --stratified {input.stratified:q}"
        " --outcomes {input.outcomes:q} --taxa {input.taxa:q} {params.tables} {params.names} -o {output:q} 2> {log:q}"
