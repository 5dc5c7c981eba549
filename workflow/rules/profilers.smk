# Other profilers than MetaPhlAn: each writes its own table, which becomes a profile in MetaPhlAn's form. The rules after
# that do not know which profiler it was.


rule kraken2:
    input:
        reads=lambda wildcards: PLAN.to_profile(wildcards.sample),
        database=PROFILERS.database_files(),
    output:
        report="<results>/profiles/{sample}.kreport",
        counts="<results>/qc/kraken2/{sample}.tsv",
    log:
        "<logs>/kraken2/{sample}.log",
    benchmark:
        "<benchmarks>/kraken2/{sample}.tsv"
    wildcard_constraints:
        sample=PROFILERS.pattern("kraken2"),
    conda:
        "../../envs/kraken2.yaml"
    threads: lambda wildcards: PLAN.threads(wildcards.sample, 8)
    resources:
        mem_mb=lambda wildcards, attempt: PROFILERS.memory() * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 30, 15)
        * attempt,
    params:
        settings=lambda wildcards: PROFILERS.kraken2_options(wildcards.sample),
        min_reads=config["min_reads"],
        extra=as_is(PROFILERS.kraken2_extra()),
    message:
        "{wildcards.sample}: classify with Kraken2"
    shell:
        "kraken2_sample.py --sample {wildcards.sample} --reads {input.reads:q} --min-reads {params.min_reads}"
        " {params.settings} --threads {threads} --report {output.report:q} --counts {output.counts:q}"
        " -- {params.extra} > {log:q} 2>&1"


# Where Bracken follows; it takes a second.
use rule kraken2 as kraken2_bracken with:
    output:
        report="<results>/profiles/{sample}.kreport",
        bracken="<results>/profiles/{sample}.bracken.tsv",
        counts="<results>/qc/kraken2/{sample}.tsv",
    wildcard_constraints:
        sample=PROFILERS.pattern("kraken2+bracken"),


rule sourmash:
    input:
        reads=lambda wildcards: PLAN.to_profile(wildcards.sample),
        database=PROFILERS.database_files(),
    output:
        table="<results>/profiles/{sample}.gather.csv",
        counts="<results>/qc/sourmash/{sample}.tsv",
    log:
        "<logs>/sourmash/{sample}.log",
    benchmark:
        "<benchmarks>/sourmash/{sample}.tsv"
    wildcard_constraints:
        sample=PROFILERS.pattern("sourmash"),
    conda:
        "../../envs/sourmash.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: PROFILERS.memory() * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 60, 60)
        * attempt,
    params:
        settings=as_is(PROFILERS.sourmash_options()),
        min_reads=config["min_reads"],
        extra=as_is(config["sourmash"]["extra"]),
    message:
        "{wildcards.sample}: find genomes with sourmash gather"
    shell:
        "sourmash_sample.py --sample {wildcards.sample} --reads {input.reads:q} --min-reads {params.min_reads}"
        " {params.settings} --table {output.table:q} --counts {output.counts:q} -- {params.extra} > {log:q} 2>&1"


rule convert_profile:
    input:
        raw=lambda wildcards: PROFILERS.raw(wildcards.sample),
        lineages=PROFILERS.lineages(),
        counts=lambda wildcards: PROFILERS.counts_of(wildcards.sample),
    output:
        "<results>/profiles/{sample}_profile.tsv",
    log:
        "<logs>/convert_profile/{sample}.log",
    benchmark:
        "<benchmarks>/convert_profile/{sample}.tsv"
    wildcard_constraints:
        sample=PROFILERS.pattern("kraken2", "kraken2+bracken", "sourmash"),
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: 10 * attempt,
    params:
        settings=lambda wildcards: PROFILERS.convert_options(wildcards.sample),
    message:
        "{wildcards.sample}: bring the profile into the form of all others"
    shell:
        "microbiome convert {params.settings} --profiled {input.counts:q} -o {output:q} 2> {log:q}"
