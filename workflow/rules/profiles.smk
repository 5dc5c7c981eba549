# Profiles: one mapping per sample, whose alignment tells the strains, and the merged table every measure reads.


rule metaphlan:
    input:
        reads=lambda wildcards: PLAN.to_profile(wildcards.sample),
        database=PLAN.database_files(),
    output:
        profile="<results>/profiles/{sample}_profile.tsv",
        sam=passing("sam", "<results>/profiles/{sample}.sam.bz2"),
        counts="<results>/qc/metaphlan/{sample}.tsv",
    log:
        "<logs>/metaphlan/{sample}.log",
    benchmark:
        "<benchmarks>/metaphlan/{sample}.tsv"
    wildcard_constraints:
        sample=PROFILERS.pattern("metaphlan"),
    conda:
        "../../envs/metaphlan.yaml"
    threads: lambda wildcards: PLAN.threads(wildcards.sample, 8)
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.memory(PLAN.database_files(), 2500)
        * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 30, 60)
        * attempt,
    params:
        database=lambda wildcards: config["metaphlan"]["database"],
        index=as_is(config["metaphlan"]["index"]),
        min_reads=config["min_reads"],
        min_mapq=config["metaphlan"]["min_mapq"],
        extra=as_is(config["metaphlan"]["extra"]),
    message:
        "{wildcards.sample}: profile with MetaPhlAn"
    shell:
        "profile_sample.py --sample {wildcards.sample} --reads {input.reads:q} --min-reads {params.min_reads}"
        " --database {params.database:q} --index {params.index} --threads {threads}"
        " --profile {output.profile:q} --sam {output.sam:q} --counts {output.counts:q}"
        " -- --min_mapq_val {params.min_mapq} {params.extra} > {log:q} 2>&1"


rule merge_profiles:
    input:
        profiles=lambda wildcards: PLAN.single_profiles(),
        listed=LISTS.path("profiles"),
        taxonomy=PROFILERS.taxonomy(),
    output:
        "<results>/profiles/merged.tsv",
    log:
        "<logs>/merge_profiles.log",
    benchmark:
        "<benchmarks>/merge_profiles.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        taxonomy=as_is(PROFILERS.taxonomy_option()),
    message:
        "merge the profiles"
    shell:
        "microbiome merge @{input.listed:q} {params.taxonomy} -o {output:q} 2> {log:q}"


# Tens of gigabytes: a target of its own, and nothing depends on it.
rule metaphlan_database:
    log:
        "<logs>/metaphlan_database.tsv",
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    params:
        folder=as_is(config["metaphlan"]["database"]),
        index=as_is(config["metaphlan"]["index"]),
    message:
        "download the MetaPhlAn database {params.index} into {params.folder}"
    shell:
        "microbiome database --folder {params.folder:q} --index {params.index:q} -o {log:q}"
