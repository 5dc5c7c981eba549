# Every feature against what is known of subjects, and against other molecules. {name} is subjects (taxa, functions and
# molecules against columns of subjects), outcomes (rates against molecules), or a table of molecules.


rule associate:
    input:
        tables=PLAN.tables(),
        features=lambda wildcards: ASSOCIATIONS.files(wildcards.name),
    output:
        "<results>/association/associations_{name}.tsv",
    log:
        "<logs>/associations_{name}.log",
    benchmark:
        "<benchmarks>/associations_{name}.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
        runtime=lambda wildcards, attempt: 120 * attempt,
    params:
        tables=as_is(PLAN.table_options()),
        how=lambda wildcards: ASSOCIATIONS.options(wildcards.name),
    message:
        "associations with {wildcards.name}"
    shell:
        "microbiome associate {params.tables} {params.how} -o {output:q} 2> {log:q}"


rule joins:
    input:
        tables=PLAN.tables("samples", "subjects"),
        features=ASSOCIATIONS.joined(),
    output:
        "<results>/association/joins.tsv",
    log:
        "<logs>/joins.log",
    benchmark:
        "<benchmarks>/joins.tsv"
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: 2000 * attempt,
        runtime=lambda wildcards, attempt: 20 * attempt,
    params:
        tables=as_is(PLAN.table_options("samples", "subjects")),
        how=as_is(ASSOCIATIONS.join_options()),
    message:
        "rows of tables that belong together"
    shell:
        "microbiome join {params.tables} {params.how} -o {output:q} 2> {log:q}"
