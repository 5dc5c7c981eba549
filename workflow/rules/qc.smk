# Read accounting of every sample, and MultiQC over what the tools say.


rule read_accounting:
    input:
        samples=config["samples"],
        profiles=PLAN.single_profiles(),
        units=PLAN.per_sample("qc/units/{sample}.tsv"),
        fastp=PLAN.per_sample("qc/fastp/{sample}.json"),
        host=PLAN.per_sample("qc/host/{sample}.tsv") if config["host_index"] else [],
        rarefied=(
            PLAN.per_sample("qc/rarefied/{sample}.tsv")
            if config["rarefy_reads"]
            else []
        ),
        profiled=PLAN.per_sample("qc/metaphlan/{sample}.tsv"),
    output:
        "<results>/qc/reads.tsv",
    log:
        "<logs>/read_accounting.log",
    benchmark:
        "<benchmarks>/read_accounting.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        rank=config["profile"]["rank"],
    message:
        "count the reads of every step"
    shell:
        "microbiome reads --samples {input.samples:q} --profile {input.profiles:q} --rank {params.rank}"
        " --units {input.units:q} --fastp {input.fastp:q} --host {input.host:q} --rarefied {input.rarefied:q}"
        " --profiled {input.profiled:q} -o {output:q} 2> {log:q}"


rule multiqc:
    input:
        fastp=PLAN.per_sample("qc/fastp/{sample}.json"),
        host=PLAN.per_sample("qc/host/{sample}.txt") if config["host_index"] else [],
    output:
        html="<results>/qc/multiqc.html",
        data=directory("<results>/qc/multiqc_data"),
    log:
        "<logs>/multiqc.log",
    benchmark:
        "<benchmarks>/multiqc.tsv"
    conda:
        "../../envs/multiqc.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
    params:
        folder=lambda wildcards, output: Path(output.html).parent,
    message:
        "summarise fastp and bowtie2 with MultiQC"
    shell:
        "multiqc --force --fn_as_s_name --no-ai --no-version-check --no-ansi --outdir {params.folder:q}"
        " --filename multiqc.html {input.fastp:q} {input.host:q} > {log:q} 2>&1"
