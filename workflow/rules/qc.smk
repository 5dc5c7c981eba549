# Read accounting of every sample, and MultiQC over what the tools say.


rule read_accounting:
    input:
        samples=config["samples"],
        files=lambda wildcards: [
            path
            for name in ("profiles", *LISTS.accounted())
            for path in LISTS.files(name)
        ],
        lists=[LISTS.path(name) for name in ("profiles", *LISTS.accounted())],
        taxonomy=PROFILERS.taxonomy(),
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
        rank=as_is(config["profile"]["rank"]),
        lists=as_is(LISTS.accounted_options()),
        taxonomy=as_is(PROFILERS.taxonomy_option()),
    message:
        "count the reads of every step"
    shell:
        "microbiome reads --samples {input.samples:q} {params.lists} {params.taxonomy} --rank {params.rank}"
        " -o {output:q} 2> {log:q}"


rule multiqc:
    input:
        files=lambda wildcards: LISTS.files("multiqc"),
        listed=LISTS.path("multiqc"),
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
        "run_checked.py --about 'all samples' --wrote {output:q} -- multiqc --force --fn_as_s_name --no-ai"
        " --no-version-check --no-ansi --outdir {params.folder:q} --filename multiqc.html --file-list {input.listed:q}"
        " > {log:q} 2>&1"
