# From the FASTQ files of each sample to reads that are trimmed, free of host reads and, if asked for, as many as in all
# other samples. Both mates of a pair are one job.
# No two samples can share a file, whatever they are called: each step has its folder, and a name ends in what it holds.


rule merge_units_paired:
    input:
        fq1=lambda wildcards: PLAN.fastq(wildcards.sample, 1),
        fq2=lambda wildcards: PLAN.fastq(wildcards.sample, 2),
    output:
        r1=passing("merged", "<results>/reads/merged/{sample}_R1.fastq.gz"),
        r2=passing("merged", "<results>/reads/merged/{sample}_R2.fastq.gz"),
        table="<results>/qc/units/{sample}.tsv",
    log:
        "<logs>/merge_units/{sample}.log",
    benchmark:
        "<benchmarks>/merge_units/{sample}.tsv"
    wildcard_constraints:
        sample=PLAN.pattern(paired=True),
    conda:
        "../../envs/microbiome.yaml"
    threads: lambda wildcards: PLAN.threads(wildcards.sample, 2)
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 10, 3)
        * attempt,
    params:
        units=lambda wildcards: PLAN.unit_names(wildcards.sample),
        mates=lambda wildcards, input, output: options(
            fq1=input.fq1, fq2=input.fq2, out1=output.r1, out2=output.r2
        ),
    message:
        "{wildcards.sample}: verify and merge FASTQ files"
    shell:
        "merge_units.py --sample {wildcards.sample} --units {params.units} {params.mates}"
        " --table {output.table:q} > {log:q} 2>&1"


use rule merge_units_paired as merge_units_single with:
    input:
        fq1=lambda wildcards: PLAN.fastq(wildcards.sample, 1),
    output:
        r1=passing("merged", "<results>/reads/merged/{sample}_single.fastq.gz"),
        table="<results>/qc/units/{sample}.tsv",
    wildcard_constraints:
        sample=PLAN.pattern(paired=False),
    params:
        units=lambda wildcards: PLAN.unit_names(wildcards.sample),
        mates=lambda wildcards, input, output: options(fq1=input.fq1, out1=output.r1),


# fastp writes files and not a stream: only in files does it keep the order of the reads with several threads.
rule fastp_paired:
    input:
        r1="<results>/reads/merged/{sample}_R1.fastq.gz",
        r2="<results>/reads/merged/{sample}_R2.fastq.gz",
        units="<results>/qc/units/{sample}.tsv",
    output:
        r1=passing("trimmed", "<results>/reads/trimmed/{sample}_R1.fastq.gz"),
        r2=passing("trimmed", "<results>/reads/trimmed/{sample}_R2.fastq.gz"),
        json="<results>/qc/fastp/{sample}.json",
    log:
        "<logs>/fastp/{sample}.log",
    benchmark:
        "<benchmarks>/fastp/{sample}.tsv"
    wildcard_constraints:
        sample=PLAN.pattern(paired=True),
    conda:
        "../../envs/fastp.yaml"
    threads: lambda wildcards: PLAN.threads(wildcards.sample, 4)
    resources:
        mem_mb=lambda wildcards, attempt: 2500 * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 10, 10)
        * attempt,
    params:
        mates=lambda wildcards, input, output: options(
            reads=[input.r1, input.r2], out=[output.r1, output.r2]
        ),
        min_length=config["fastp"]["min_length"],
        extra=as_is(config["fastp"]["extra"]),
    message:
        "{wildcards.sample}: trim with fastp"
    shell:
        "fastp_sample.py --sample {wildcards.sample} {params.mates} --units {input.units:q} --json {output.json:q}"
        " --min-length {params.min_length} --threads {threads} -- {params.extra} > {log:q} 2>&1"


use rule fastp_paired as fastp_single with:
    input:
        r1="<results>/reads/merged/{sample}_single.fastq.gz",
        units="<results>/qc/units/{sample}.tsv",
    output:
        r1=passing("trimmed", "<results>/reads/trimmed/{sample}_single.fastq.gz"),
        json="<results>/qc/fastp/{sample}.json",
    wildcard_constraints:
        sample=PLAN.pattern(paired=False),
    params:
        mates=lambda wildcards, input, output: options(reads=input.r1, out=output.r1),
        min_length=config["fastp"]["min_length"],
        extra=as_is(config["fastp"]["extra"]),


rule remove_host:
    input:
        reads=lambda wildcards: PLAN.trimmed(wildcards.sample),
        index=PLAN.host_files(),
    output:
        reads=passing("nonhost", "<results>/reads/nonhost/{sample}.fastq.gz"),
        summary="<results>/qc/host/{sample}.txt",
        counts="<results>/qc/host/{sample}.tsv",
    log:
        "<logs>/remove_host/{sample}.log",
    benchmark:
        "<benchmarks>/remove_host/{sample}.tsv"
    conda:
        "../../envs/bowtie2.yaml"
    threads: lambda wildcards: PLAN.threads(wildcards.sample, 8)
    resources:
        mem_mb=lambda wildcards, attempt: PLAN.memory(PLAN.host_files(), 800) * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 15, 30)
        * attempt,
    params:
        index=lambda wildcards: config["host_index"],
    message:
        "{wildcards.sample}: remove host reads"
    shell:
        "remove_host.py --sample {wildcards.sample} --index {params.index:q} --reads {input.reads:q}"
        " --threads {threads} --out {output.reads:q} --summary {output.summary:q} --counts {output.counts:q}"
        " > {log:q} 2>&1"


rule rarefy_reads:
    input:
        reads=lambda wildcards: PLAN.clean(wildcards.sample),
    output:
        reads=passing("rarefied", "<results>/reads/rarefied/{sample}.fastq.gz"),
        counts="<results>/qc/rarefied/{sample}.tsv",
    log:
        "<logs>/rarefy_reads/{sample}.log",
    benchmark:
        "<benchmarks>/rarefy_reads/{sample}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 1000 * attempt,
        runtime=lambda wildcards, attempt: PLAN.minutes(wildcards.sample, 10, 5)
        * attempt,
    params:
        paired=lambda wildcards: "--paired" if PLAN.paired(wildcards.sample) else "",
        depth=config["rarefy_reads"],
        seed=config["seed"],
    message:
        "{wildcards.sample}: draw {params.depth} reads"
    shell:
        "rarefy_reads.py --sample {wildcards.sample} --reads {input.reads:q} {params.paired} --depth {params.depth}"
        " --seed {params.seed} --out {output.reads:q} --counts {output.counts:q} > {log:q} 2>&1"
