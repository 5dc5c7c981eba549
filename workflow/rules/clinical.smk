# Patients and donors: response, survival, adverse events, clusters of donors, and what will engraft in whom.


rule clinical_response:
    input:
        tables=PLAN.tables("subjects", "samples"),
        lesions=CLINICAL.lesions(),
    output:
        table="<results>/clinical/response.tsv",
        lesions=(
            [
                "<results>/clinical/assessments.tsv",
                "<results>/clinical/best_responses.tsv",
            ]
            if CLINICAL.lesions()
            else []
        ),
    log:
        "<logs>/clinical_response.log",
    benchmark:
        "<benchmarks>/clinical_response.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        tables=as_is(PLAN.table_options("subjects", "samples")),
        by=as_is(CLINICAL.response_groups()),
        how=as_is(CLINICAL.response_options()),
        lesions=lambda wildcards, output: (
            options(assessments=output.lesions[0], best=output.lesions[1])
            if output.lesions
            else ""
        ),
    message:
        "response rates {params.by}"
    shell:
        "microbiome clinical response {params.tables} {params.by} {params.how} {params.lesions}"
        " -o {output.table:q} 2> {log:q}"


rule clinical_survival:
    input:
        tables=PLAN.tables("subjects", "samples"),
        rates=CLINICAL.survival_rates(),
    output:
        table="<results>/clinical/survival.tsv",
        curves="<results>/clinical/curves.tsv",
    log:
        "<logs>/clinical_survival.log",
    benchmark:
        "<benchmarks>/clinical_survival.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("subjects", "samples")),
        by=as_is(CLINICAL.survival_groups()),
        rates=as_is(CLINICAL.rate_options()),
        how=as_is(CLINICAL.survival_options()),
    message:
        "survival {params.by}"
    shell:
        "microbiome clinical survival {params.tables} {params.by} {params.rates} {params.how}"
        " --curves {output.curves:q} -o {output.table:q} 2> {log:q}"


rule clinical_toxicity:
    input:
        tables=PLAN.tables(),
        events=CLINICAL.events(),
        profile=[PLAN.profile] if CLINICAL.dosed else [],
        clusters=CLINICAL.clusters(),
    output:
        "<results>/clinical/toxicity.tsv",
    log:
        "<logs>/clinical_toxicity.log",
    benchmark:
        "<benchmarks>/clinical_toxicity.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        tables=as_is(PLAN.table_options()),
        by=as_is(CLINICAL.toxicity_groups()),
        events=as_is(CLINICAL.event_options()),
        clusters=lambda wildcards, input: (
            options(clusters=input.clusters) if input.clusters else ""
        ),
        how=as_is(CLINICAL.toxicity_options()),
    message:
        "adverse events {params.by}"
    shell:
        "microbiome clinical toxicity {params.tables} {params.by} {params.events} {params.clusters} {params.how}"
        " -o {output:q} 2> {log:q}"


rule toxicity_curves:
    input:
        tables=PLAN.tables(),
        events=CLINICAL.events(),
        clusters=CLINICAL.clusters(),
    output:
        "<results>/clinical/toxicity_curves.tsv",
    log:
        "<logs>/toxicity_curves.log",
    benchmark:
        "<benchmarks>/toxicity_curves.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        tables=as_is(PLAN.table_options()),
        by=as_is(CLINICAL.toxicity_groups()),
        events=as_is(CLINICAL.event_options()),
        clusters=lambda wildcards, input: (
            options(clusters=input.clusters) if input.clusters else ""
        ),
    message:
        "time to severe adverse events {params.by}"
    shell:
        "microbiome clinical time-to-toxicity {params.tables} {params.by} {params.events} {params.clusters}"
        " -o {output:q} 2> {log:q}"


rule donor_clusters:
    input:
        tables=PLAN.tables("samples"),
        profile=PLAN.profile,
    output:
        clusters="<results>/clinical/donor_clusters.tsv",
        choice="<results>/clinical/donor_cluster_choice.tsv",
    log:
        "<logs>/donor_clusters.log",
    benchmark:
        "<benchmarks>/donor_clusters.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        samples=as_is(PLAN.table_options("samples")),
        seed=config["seed"],
    message:
        "clusters of donors"
    shell:
        "microbiome clinical donor-clusters {params.profile} {params.samples} --seed {params.seed}"
        " --choice {output.choice:q} -o {output.clusters:q} 2> {log:q}"


rule donors:
    input:
        tables=PLAN.tables(),
        profile=PLAN.profile,
        rates="<results>/outcomes/rates.tsv",
        outcomes="<results>/outcomes/outcomes.tsv",
        lists=CLINICAL.lists(),
    output:
        table="<results>/clinical/donors.tsv",
        spread="<results>/clinical/donor_spread.tsv",
        taxa="<results>/clinical/donor_taxa.tsv",
    log:
        "<logs>/donors.log",
    benchmark:
        "<benchmarks>/donors.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options()),
        lists=as_is(CLINICAL.list_options()),
        how=as_is(CLINICAL.donor_options()),
    message:
        "donors, and how their recipients fared"
    shell:
        "microbiome donors {params.profile} {params.tables} --rates {input.rates:q} --outcomes {input.outcomes:q}"
        " {params.lists} {params.how} --spread {output.spread:q} --taxa {output.taxa:q} -o {output.table:q} 2> {log:q}"


rule donor_match:
    input:
        tables=PLAN.tables(),
        profile=PLAN.profile,
        lists=CLINICAL.lists(),
    output:
        scores="<results>/clinical/donor_match_scores.tsv",
        predictions="<results>/clinical/donor_match.tsv",
        pairs="<results>/clinical/donor_pairs.tsv",
    log:
        "<logs>/donor_match.log",
    benchmark:
        "<benchmarks>/donor_match.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        profile=as_is(PLAN.profile_options()),
        tables=as_is(PLAN.table_options()),
        lists=as_is(CLINICAL.list_options()),
        how=as_is(CLINICAL.donor_options()),
        cohort=as_is(CLINICAL.match_options()),
    message:
        "which taxa will be there after the transplant"
    shell:
        "microbiome match {params.profile} {params.tables} {params.lists} {params.how} {params.cohort}"
        " --predictions {output.predictions:q} --pairs {output.pairs:q} -o {output.scores:q} 2> {log:q}"
