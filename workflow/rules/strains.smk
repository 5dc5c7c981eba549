# Whose strain it is: distances between the strains of samples (from alleles, from StrainPhlAn, or finished ones), calls,
# donor fractions, rates and audit. {beside} is empty, or strainphlan_ where StrainPhlAn runs beside another method.


rule strain_alleles:
    input:
        "<results>/profiles/{sample}.sam.bz2",
    output:
        "<results>/strains/alleles/{sample}.alleles",
    log:
        "<logs>/strain_alleles/{sample}.log",
    benchmark:
        "<benchmarks>/strain_alleles/{sample}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 20, 20)
        * attempt,
    params:
        filters=as_is(allele_options(config)),
    message:
        "{wildcards.sample}: count the alleles of its strains"
    shell:
        "microbiome strains alleles --alignment {input:q} --sample {wildcards.sample} {params.filters} -o {output:q}"
        " 2> {log:q}"


rule strain_distances_part:
    input:
        alleles=lambda wildcards: STRAINS.alleles(),
        listed=STRAINS.allele_list(),
    output:
        temp("<results>/strains/distances/part{part}.tsv"),
    log:
        "<logs>/strain_distances/part{part}.log",
    benchmark:
        "<benchmarks>/strain_distances/part{part}.tsv"
    wildcard_constraints:
        part="[0-9]+",
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        source=as_is(STRAINS.part_options()),
        parts=config["strains"]["parts"],
    message:
        "distances between strains, part {wildcards.part} of {params.parts}"
    shell:
        "microbiome strains distances {params.source} --part {wildcards.part}/{params.parts} -o {output:q} 2> {log:q}"


rule strain_distances:
    input:
        sources=lambda wildcards: STRAINS.sources(),
        listed=STRAINS.source_list(),
    output:
        "<results>/strains/distances.tsv",
    log:
        "<logs>/strain_distances.log",
    benchmark:
        "<benchmarks>/strain_distances.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        source=as_is(STRAINS.source_options()),
    message:
        "distances between strains"
    shell:
        "microbiome strains distances {params.source} -o {output:q} 2> {log:q}"


rule strain_thresholds:
    input:
        distances="<results>/strains/{beside}distances.tsv",
        tables=PLAN.tables("samples", "doses"),
        percentiles=STRAINS.percentiles(),
    output:
        "<results>/strains/{beside}thresholds.tsv",
    log:
        "<logs>/{beside}strain_thresholds.log",
    benchmark:
        "<benchmarks>/{beside}strain_thresholds.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
        rule=as_is(rule_options(config)),
    message:
        "where the cut between same and different strains lies"
    shell:
        "microbiome strains thresholds --distances {input.distances:q} {params.tables} {params.rule}"
        " -o {output:q} 2> {log:q}"


rule strain_share:
    input:
        distances="<results>/strains/{beside}distances.tsv",
        tables=PLAN.tables("samples", "doses"),
        percentiles=STRAINS.percentiles(),
    output:
        "<results>/strains/{beside}shared.tsv",
    log:
        "<logs>/{beside}strain_share.log",
    benchmark:
        "<benchmarks>/{beside}strain_share.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
        rule=as_is(rule_options(config)),
    message:
        "which samples have the same strains"
    shell:
        "microbiome strains share --distances {input.distances:q} {params.tables} {params.rule}"
        " -o {output:q} 2> {log:q}"


rule strain_sweep:
    input:
        distances="<results>/strains/distances.tsv",
        tables=PLAN.tables("samples", "doses"),
    output:
        "<results>/strains/sweep.tsv",
    log:
        "<logs>/strain_sweep.log",
    benchmark:
        "<benchmarks>/strain_sweep.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
    message:
        "how much is shared at every cut"
    shell:
        "microbiome strains sweep --distances {input.distances:q} {params.tables} -o {output:q} 2> {log:q}"


rule strain_resolve:
    input:
        source=lambda wildcards: STRAINS.resolve_sources(),
        listed=STRAINS.allele_list(),
        outcomes="<results>/outcomes/outcomes.tsv",
        tables=PLAN.tables("samples", "doses"),
    output:
        resolved="<results>/strains/resolved.tsv",
        sources="<results>/strains/sources.tsv",
    log:
        "<logs>/strain_resolve.log",
    benchmark:
        "<benchmarks>/strain_resolve.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        source=as_is(STRAINS.resolve_options()),
        tables=as_is(PLAN.table_options("samples", "doses")),
        seed=config["seed"],
    message:
        "whose strains are in the post samples"
    shell:
        "microbiome strains resolve {params.source} --outcomes {input.outcomes:q} {params.tables}"
        " --seed {params.seed} --sources {output.sources:q} -o {output.resolved:q} 2> {log:q}"


rule strain_rates:
    input:
        shared="<results>/strains/shared.tsv",
        resolved=STRAINS.resolved(),
        outcomes="<results>/outcomes/outcomes.tsv",
        tables=PLAN.tables(),
    output:
        rates="<results>/strains/rates.tsv",
        persistence="<results>/strains/persistence.tsv",
        summary="<results>/strains/trajectories.tsv",
    log:
        "<logs>/strain_rates.log",
    benchmark:
        "<benchmarks>/strain_rates.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options()),
        resolved=lambda wildcards, input: (
            options(resolved=input.resolved) if input.resolved else ""
        ),
    message:
        "rates of strain engraftment and persistence"
    shell:
        "microbiome strains rates --shared {input.shared:q} {params.resolved} --outcomes {input.outcomes:q}"
        " {params.tables} --persistence {output.persistence:q} --summary {output.summary:q}"
        " -o {output.rates:q} 2> {log:q}"


rule strain_audit:
    input:
        shared="<results>/strains/shared.tsv",
        tables=PLAN.tables("samples", "doses"),
    output:
        "<results>/strains/audit.tsv",
    log:
        "<logs>/strain_audit.log",
    benchmark:
        "<benchmarks>/strain_audit.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "doses")),
    message:
        "whether samples are whose their labels say"
    shell:
        "microbiome strains audit --shared {input.shared:q} {params.tables} -o {output:q} 2> {log:q}"


use rule compare as strain_compare with:
    input:
        rates="<results>/strains/rates.tsv",
        tables=PLAN.tables(),
    output:
        "<results>/strains/compare{by}.tsv",
    log:
        "<logs>/strain_compare{by}.log",
    benchmark:
        "<benchmarks>/strain_compare{by}.tsv"
    params:
        tables=as_is(PLAN.table_options()),
        by=lambda wildcards: PLAN.by_option(wildcards.by),
        rates=as_is(strain_rate_options(config)),
        test=as_is(compare_options(config)),
    message:
        "compare rates of strains {params.by}"


# StrainPhlAn: consensus markers of each sample, once; a list of clades; a job for each of them.


rule strainphlan_markers:
    input:
        sam="<results>/profiles/{sample}.sam.bz2",
        database=STRAINS.database(),
    output:
        "<results>/strains/markers/{sample}.json.bz2",
    log:
        "<logs>/strainphlan_markers/{sample}.log",
    benchmark:
        "<benchmarks>/strainphlan_markers/{sample}.tsv"
    conda:
        "../../envs/strainphlan.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.memory(STRAINS.database(), 2000)
        * 6
        * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 30, 60)
        * attempt,
    params:
        folder=lambda wildcards, output: Path(output[0]).parent,
    message:
        "{wildcards.sample}: consensus markers for StrainPhlAn"
    shell:
        "PYTHONHASHSEED=0 run_checked.py --about 'sample {wildcards.sample}' --wrote {output:q} --"
        " sample2markers.py -i {input.sam:q} -o {params.folder:q} -d {input.database:q} -n {threads}"
        " --tmp {resources.tmpdir:q} > {log:q} 2>&1"


rule strainphlan_versions:
    input:
        STRAINS.markers(),
    output:
        "<results>/strains/strainphlan_versions.tsv",
    log:
        "<logs>/strainphlan_versions.log",
    benchmark:
        "<benchmarks>/strainphlan_versions.tsv"
    conda:
        "../../envs/strainphlan.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    message:
        "versions of StrainPhlAn and the programs that it calls"
    shell:
        "tool_versions.py strainphlan phylophlan samtools blastn mafft raxmlHPC --out {output:q} > {log:q} 2>&1"


checkpoint strainphlan_clades:
    input:
        markers=lambda wildcards: STRAINS.markers(),
        listed=LISTS.path("markers"),
        database=STRAINS.database(),
    output:
        "<results>/strains/strainphlan/clades.tsv",
    log:
        "<logs>/strainphlan_clades.log",
    benchmark:
        "<benchmarks>/strainphlan_clades.tsv"
    conda:
        "../../envs/strainphlan.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.memory(STRAINS.database(), 2000)
        * 6
        * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        clades=as_is(STRAINS.clade_options()),
    message:
        "list the clades for StrainPhlAn"
    shell:
        "strainphlan_clades.py --markers @{input.listed:q} --database {input.database:q} {params.clades}"
        " --threads {threads} --out {output:q} > {log:q} 2>&1"


# Two threads at least: RAxML always runs two, and waits for both.
rule strainphlan_clade:
    input:
        markers=lambda wildcards: STRAINS.markers(),
        listed=LISTS.path("markers"),
        database=STRAINS.database(),
    output:
        directory("<results>/strains/strainphlan/{clade}"),
    log:
        "<logs>/strainphlan/{clade}.log",
    benchmark:
        "<benchmarks>/strainphlan/{clade}.tsv"
    wildcard_constraints:
        clade="t__[A-Za-z0-9_.-]+",
    conda:
        "../../envs/strainphlan.yaml"
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.memory(STRAINS.database(), 2000)
        * 6
        * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    message:
        "{wildcards.clade}: tree with StrainPhlAn"
    shell:
        "strainphlan_clade.py --clade {wildcards.clade} --markers @{input.listed:q} --database {input.database:q}"
        " --threads {threads} --tmp {resources.tmpdir:q} --out {output:q} > {log:q} 2>&1"


rule strainphlan_gather:
    input:
        listed="<results>/strains/strainphlan/clades.tsv",
        folders=lambda wildcards: STRAINS.clade_folders(
            checkpoints.strainphlan_clades.get(**wildcards).output[0]
        ),
    output:
        clades="<results>/strains/strainphlan_clades.tsv",
        distances="<results>/strains/strainphlan_distances.tsv",
    log:
        "<logs>/strainphlan_gather.log",
    benchmark:
        "<benchmarks>/strainphlan_gather.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 3000 * attempt,
        runtime=lambda wildcards, attempt: 30 * attempt,
    params:
        results=lambda wildcards, input: Path(input.listed).parent,
    message:
        "gather the trees of StrainPhlAn"
    shell:
        "strainphlan_gather.py --listed {input.listed:q} --results {params.results:q} --clades {output.clades:q}"
        " --distances {output.distances:q} > {log:q} 2>&1"
