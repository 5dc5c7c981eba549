# Lists of files that grow with the study, for commands that could not take so many paths. {list} is a name that
# microbiome/workflow_lists.py knows. A text that is too long for a command line is put down at the start of a run
# (write_texts); the parameter makes its job run again when it changes. Not a `script`: those run again when their own
# file is newer, as it is in every fresh checkout.


rule list_files:
    output:
        "<results>/lists/{list}.txt",
    log:
        "<logs>/lists/{list}.log",
    wildcard_constraints:
        list="[a-z_]+",
    conda:
        "../../envs/microbiome.yaml"
    threads: 1
    params:
        text=lambda wildcards: LISTS.text(wildcards.list),
        source=lambda wildcards: TEXTS / f"{wildcards.list}.txt",
    message:
        "list of files: {wildcards.list}"
    shell:
        "(cp {params.source:q} {output:q}.part && mv {output:q}.part {output:q}) 2> {log:q}"
