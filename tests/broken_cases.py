"""Every kind of broken input, how it comes about, and what ``microbiome check`` says of it.

The tests compare each message in full; ``python tests/broken_cases.py`` writes docs/messages.md from the same list.
"""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

from broken import (
    DOSES,
    EC,
    INDEX,
    READ1,
    READ2,
    SAMPLES,
    SUBJECTS,
    UNITS,
    Case,
    append,
    both,
    cut,
    edit,
    link,
    profile,
    reads,
    remove,
    replace,
    small_index,
    tool,
)

CASES: tuple[Case, ...] = (
    Case(
        "Tables",
        "a table that does not exist",
        remove("samples.tsv"),
        (
            "error: config.yaml:1: samples: 'samples.tsv' does not exist; correct the path, or write the "
            "table (docs/tables.md)",
        ),
    ),
    Case(
        "Tables",
        "an empty file",
        replace("doses.tsv", ""),
        ("error: doses.tsv: the file is empty; write a header row: subject day donor donor_sample",),
    ),
    Case(
        "Tables",
        "a table without rows",
        replace("samples.tsv", SAMPLES.splitlines()[0] + "\n"),
        ("error: samples.tsv: the table has no rows; fill it in (docs/tables.md)",),
    ),
    Case(
        "Tables",
        "a workbook instead of text",
        replace("samples.tsv", b"PK\x03\x04 and so on"),
        ("error: samples.tsv: the file is a workbook or zip archive; export the sheet as tab-separated text",),
    ),
    Case(
        "Tables",
        "text in UTF-16",
        replace("subjects.tsv", SUBJECTS.encode("utf-16")),
        ("error: subjects.tsv: the file is not UTF-8 but looks like UTF-16; save it as UTF-8 text",),
    ),
    Case(
        "Tables",
        "text in Latin-1",
        replace("subjects.tsv", SUBJECTS.replace("placebo", "pla\u00e7ebo").encode("latin-1")),
        ("error: subjects.tsv:5: the file is not UTF-8; save it as UTF-8 text",),
    ),
    Case(
        "Tables",
        "a byte-order mark (read all the same)",
        replace("samples.tsv", b"\xef\xbb\xbf" + SAMPLES.encode()),
        ("warning: samples.tsv:1: the file begins with a byte-order mark; save it as UTF-8 without BOM",),
    ),
    Case(
        "Tables",
        "a truncated gzip",
        replace("subjects.tsv", gzip.compress(SUBJECTS.encode(), mtime=0)[:-10]),
        ("error: subjects.tsv: truncated or corrupt gzip file; copy or make the file again",),
    ),
    Case(
        "Tables",
        "columns separated by commas",
        replace("samples.tsv", SAMPLES.replace("\t", ",")),
        ("error: samples.tsv:1: the columns are separated by commas; separate them by tabs (TSV)",),
    ),
    Case(
        "Tables",
        "columns separated by semicolons",
        replace("units.tsv", UNITS.replace("\t", ";")),
        ("error: units.tsv:1: the columns are separated by semicolons; separate them by tabs (TSV)",),
    ),
    Case(
        "Tables",
        "columns separated by spaces",
        replace("doses.tsv", DOSES.replace("\t", " ")),
        ("error: doses.tsv:1: the columns are separated by spaces; separate them by tabs (TSV)",),
    ),
    Case(
        "Tables",
        "a missing column",
        edit("samples.tsv", "role", "kind"),
        ("error: samples.tsv:1: role: column 'role' is missing; add it: Whose stool it is.",),
    ),
    Case(
        "Tables",
        "white space around a column name",
        edit("samples.tsv", "role\t", " role\t"),
        ("error: samples.tsv:1: role: the column name ' role' has extra white space; write 'role'",),
    ),
    Case(
        "Tables",
        "a column name in capitals",
        edit("samples.tsv", "day", "Day"),
        ("error: samples.tsv:1: Day: column 'Day' must be written 'day'; column names are lower case",),
    ),
    Case(
        "Tables",
        "a column twice",
        edit("subjects.tsv", "best_response", "arm"),
        ("error: subjects.tsv:1: arm: column 'arm' stands twice; keep one",),
    ),
    Case(
        "Tables",
        "a column without a name",
        edit("subjects.tsv", "best_response", ""),
        ("error: subjects.tsv:1: column 3 has no name; name it or remove it",),
    ),
    Case(
        "Tables",
        "a row with too few cells",
        edit("samples.tsv", "R1.0\tR1\trecipient\t-1", "R1.0\tR1\trecipient -1"),
        (
            "error: samples.tsv:4: the row has 3 cells, the header has 4; separate all cells by tabs, "
            "also the empty ones",
        ),
    ),
    Case(
        "Tables",
        "a quote that is never closed",
        edit("subjects.tsv", "C1\t", 'C1\t"'),
        ('error: subjects.tsv:5: a quote (") opens a cell here and is never closed; remove or close it',),
    ),
    Case(
        "Tables",
        "white space around a cell",
        edit("samples.tsv", "R1.28\tR1\t", "R1.28\tR1 \t"),
        ("error: samples.tsv:5: subject: 'R1 ' has extra white space; write 'R1'",),
    ),
    Case(
        "Tables",
        "an invisible character",
        edit("samples.tsv", "R1.28\tR1\t", "R1.28\tR1\u200b\t"),
        (
            "error: samples.tsv:5: subject: 'R1\\u200b' has an invisible character; type the cell again",
            (
                "error: samples.tsv:5: day: recipient 'R1\\u200b' has no baseline (no sample with day <= 0); "
                "add the sample, or set allow_missing_baseline to go on without outcomes for this subject"
            ),
        ),
    ),
    Case(
        "Tables",
        "an empty cell that must be filled",
        edit("samples.tsv", "C1.0\tC1", "C1.0\t"),
        ("error: samples.tsv:6: subject: the cell is empty; fill it in",),
    ),
    Case(
        "Tables",
        "an illegal name",
        both(edit("samples.tsv", "C1.0", "C1 0"), edit("units.tsv", "C1.0", "C1 0")),
        (
            (
                "error: samples.tsv:6: sample: 'C1 0' is not a legal sample name; use letters, digits, '.', "
                "'_' and '-' only, a letter or digit first"
            ),
            (
                "error: units.tsv:7: sample: 'C1 0' is not a legal sample name; use letters, digits, '.', '_' "
                "and '-' only, a letter or digit first"
            ),
        ),
    ),
    Case(
        "Tables",
        "a word that is not allowed",
        edit("subjects.tsv", "SD", "stable"),
        ("error: subjects.tsv:5: best_response: 'stable' is not allowed; use one of CR, PR, SD, PD, NE",),
    ),
    Case(
        "Tables",
        "a number that is none",
        edit("samples.tsv", "\t28", "\tday 28"),
        ("error: samples.tsv:5: day: 'day 28' is not an integer; write whole days",),
    ),
    Case(
        "Tables",
        "a number with a decimal comma",
        both(
            edit("subjects.tsv", "best_response", "pfs_days"),
            edit("subjects.tsv", "PR", "12,5"),
            edit("subjects.tsv", "SD", "90"),
        ),
        (
            "error: subjects.tsv:4: pfs_days: '12,5' is not a number; write decimals with a point",
            "error: subjects.tsv: pfs_event: column 'pfs_event' is missing; add it",
        ),
    ),
    Case(
        "Tables",
        "a number out of range",
        both(
            edit("subjects.tsv", "best_response", "irae_grade"),
            edit("subjects.tsv", "PR", "6"),
            edit("subjects.tsv", "SD", "0"),
        ),
        ("error: subjects.tsv:4: irae_grade: 6 is out of range; it must be between 0 and 5",),
    ),
    Case(
        "Tables",
        "a flag that is not 0 or 1",
        both(
            edit("subjects.tsv", "best_response", "pfs_event"),
            edit("subjects.tsv", "PR", "yes"),
            edit("subjects.tsv", "SD", "0"),
        ),
        ("error: subjects.tsv:4: pfs_event: 'yes' is not 0 or 1; write 1 for yes, 0 for no, or leave it empty",),
    ),
    Case(
        "Tables",
        "a sample twice",
        append("samples.tsv", "C1.0\tC1\tcontrol\t30\n"),
        ("error: samples.tsv:7: sample: sample 'C1.0' stands already in line 6; keep one row",),
    ),
    Case(
        "Tables",
        "a subject twice",
        append("subjects.tsv", "R1\tfmt\tPR\n"),
        ("error: subjects.tsv:6: subject: subject 'R1' stands already in line 4; keep one row",),
    ),
    Case(
        "Study",
        "a recipient sample without a day",
        edit("samples.tsv", "\t28", "\t"),
        (
            "error: samples.tsv:5: day: recipient sample 'R1.28' has no day; write the days since the "
            "subject's first dose, e.g. -3 or 28",
        ),
    ),
    Case(
        "Study",
        "a recipient without a baseline",
        edit("samples.tsv", "\t-1", "\t1"),
        (
            "error: samples.tsv:4: day: recipient 'R1' has no baseline (no sample with day <= 0); add the "
            "sample, or set allow_missing_baseline to go on without outcomes for this subject",
        ),
    ),
    Case(
        "Study",
        "two samples on the day of the baseline (the last counts)",
        edit("samples.tsv", "\t28", "\t-1"),
        (
            "warning: samples.tsv:5: day: recipient 'R1' has 2 samples on its baseline day -1: 'R1.28' is "
            "used; keep one, or give them different days",
        ),
    ),
    Case(
        "Study",
        "a subject with two roles",
        edit("samples.tsv", "R1.0\tR1\trecipient", "R1.0\tR1\tcontrol"),
        (
            (
                "error: samples.tsv:5: role: subject 'R1' is recipient here but control in line 4; a subject "
                "has one role"
            ),
            (
                "error: samples.tsv:5: day: recipient 'R1' has no baseline (no sample with day <= 0); add the "
                "sample, or set allow_missing_baseline to go on without outcomes for this subject"
            ),
        ),
    ),
    Case(
        "Study",
        "a subject that is not in the subjects table",
        edit("subjects.tsv", "C1\t", "C2\t"),
        ("warning: samples.tsv:6: subject: subject 'C1' is not in subjects.tsv; add a row there",),
    ),
    Case(
        "Study",
        "a response that contradicts another (the given one counts)",
        both(
            edit("subjects.tsv", "arm", "responder"),
            edit("subjects.tsv", "fmt", "no"),
            edit("subjects.tsv", "placebo", "no"),
            edit("config.yaml", "[arm]", "[role]"),
        ),
        (
            "warning: subjects.tsv:4: responder: subject 'R1' has best_response PR and responder no: "
            "responder is used; make them agree if that is not meant",
        ),
    ),
    Case(
        "Study",
        "a dose of a subject that does not exist",
        edit("doses.tsv", "R1\t7", "R11\t7"),
        (
            (
                "error: doses.tsv:3: subject: subject 'R11' does not exist; correct it or add its samples "
                "(did you mean 'R1'?)"
            ),
            (
                "error: doses.tsv:3: day: the first dose of subject 'R11' is on day 7; count days from the "
                "first dose: it is day 0, in samples and doses"
            ),
        ),
    ),
    Case(
        "Study",
        "a dose given to a donor",
        append("doses.tsv", "D2\t0\tD1\t\n"),
        ("error: doses.tsv:4: subject: subject 'D2' has role donor but receives a dose; correct one",),
    ),
    Case(
        "Study",
        "a donor that does not exist",
        edit("doses.tsv", "D2", "D3"),
        ("error: doses.tsv:3: donor: donor 'D3' does not exist; correct it or add its samples",),
    ),
    Case(
        "Study",
        "a donor who is a recipient",
        edit("doses.tsv", "D2", "C1"),
        ("error: doses.tsv:3: donor: donor 'C1' has role control; name a subject with role donor",),
    ),
    Case(
        "Study",
        "a subject that is its own donor",
        edit("doses.tsv", "D2", "R1"),
        ("error: doses.tsv:3: donor: subject 'R1' is its own donor; name the donor of the product",),
    ),
    Case(
        "Study",
        "a donor sample that does not exist",
        edit("doses.tsv", "D1.a", "D1.b"),
        (
            "error: doses.tsv:2: donor_sample: donor_sample 'D1.b' does not exist; correct it, or leave "
            "it empty for all samples of the donor (did you mean 'D1.a'?)",
        ),
    ),
    Case(
        "Study",
        "a donor sample of another donor",
        edit("doses.tsv", "D1.a", "D2.a"),
        (
            "error: doses.tsv:2: donor_sample: donor_sample 'D2.a' is of donor 'D2', not of 'D1'; correct "
            "one of the two",
        ),
    ),
    Case(
        "Study",
        "a donor sample that a recipient gave",
        edit("doses.tsv", "D1.a", "R1.0"),
        (
            "error: doses.tsv:2: donor_sample: donor_sample 'R1.0' is of 'R1', who has role recipient; "
            "name a sample of a donor",
        ),
    ),
    Case(
        "Study",
        "a first dose that is not on day 0",
        edit("doses.tsv", "R1\t0", "R1\t3"),
        (
            "error: doses.tsv:2: day: the first dose of subject 'R1' is on day 3; count days from the "
            "first dose: it is day 0, in samples and doses",
        ),
    ),
    Case(
        "Study",
        "a dose before day 0",
        edit("doses.tsv", "R1\t7", "R1\t-7"),
        ("error: doses.tsv:3: day: -7 is out of range; it must be at least 0",),
    ),
    Case(
        "Study",
        "a dose twice (it counts once)",
        append("doses.tsv", "R1\t0\tD1\tD1.a\n"),
        ("warning: doses.tsv:4: donor: the same dose stands in line 2; it counts once",),
    ),
    Case(
        "Units",
        "a unit of a sample that is not in the samples table",
        edit("units.tsv", "C1.0", "C1-0"),
        (
            (
                "error: units.tsv:7: sample: sample 'C1-0' is not in samples.tsv; correct it, or add a row "
                "there (did you mean 'C1.0'?)"
            ),
            (
                "error: samples.tsv:6: sample: sample 'C1.0' has no unit; add its FASTQ files to units.tsv, "
                "or remove the row"
            ),
        ),
    ),
    Case(
        "Units",
        "a sample without a unit",
        edit("units.tsv", UNITS.splitlines()[-1] + "\n", ""),
        (
            "error: samples.tsv:6: sample: sample 'C1.0' has no unit; add its FASTQ files to units.tsv, "
            "or remove the row",
        ),
    ),
    Case(
        "Units",
        "a unit twice",
        edit("units.tsv", "L2", "L1"),
        ("error: units.tsv:6: unit: sample 'R1.28' unit 'L1' stands already in line 5; keep one row",),
    ),
    Case(
        "Units",
        "single-end and paired-end units of one sample",
        edit("units.tsv", "\treads/R3_2.fq.gz", "\t"),
        (
            "error: units.tsv:6: fq2: this unit of sample 'R1.28' is single-end, the unit in line 5 is "
            "paired-end; give all units of a sample one or both mates, or make two samples of it",
        ),
    ),
    Case(
        "Units",
        "fq1 and fq2 the same file",
        edit("units.tsv", READ2, READ1),
        (
            "error: units.tsv:4: fq2: fq1 and fq2 are the same file, 'reads/R1_1.fq.gz'; name the file of "
            "the second mates",
        ),
    ),
    Case(
        "Units",
        "a FASTQ used twice",
        edit("units.tsv", "reads/R3_1.fq.gz", "reads/R2_1.fq.gz"),
        (
            (
                "error: units.tsv:6: fq1: 'reads/R2_1.fq.gz' is used already in line 5 (fq1); name the right "
                "file, or remove the row"
            ),
            (
                "error: units.tsv:6: fq2: reads/R3_2.fq.gz: its first read is 'R3.0', that of fq1 is 'R2.0'; "
                "give the two files of one run, in the same order of reads"
            ),
        ),
    ),
    Case(
        "Units",
        "a FASTQ used twice through a link",
        link("reads/R3_1.fq.gz", "R2_1.fq.gz"),
        (
            (
                "error: units.tsv:6: fq1: 'reads/R3_1.fq.gz' is used already in line 5 (fq1) (the same file "
                "as 'reads/R2_1.fq.gz'); name the right file, or remove the row"
            ),
            (
                "error: units.tsv:6: fq2: reads/R3_2.fq.gz: its first read is 'R3.0', that of fq1 is 'R2.0'; "
                "give the two files of one run, in the same order of reads"
            ),
        ),
    ),
    Case(
        "Units",
        "a copy of a FASTQ under another name",
        replace(READ2, gzip.compress(reads("R1"), mtime=0)),
        (
            (
                "error: units.tsv:4: fq2: reads/R1_2.fq.gz: as large as reads/R1_1.fq.gz (line 4, fq1) and "
                "begins with the same read: a copy; name the right file"
            ),
        ),
    ),
    Case(
        "FASTQ",
        "a FASTQ that does not exist",
        remove(READ1),
        ("error: units.tsv:4: fq1: reads/R1_1.fq.gz: the file does not exist; correct the path",),
    ),
    Case(
        "FASTQ",
        "a link to nothing",
        link(READ1, "gone.fq.gz"),
        ("error: units.tsv:4: fq1: reads/R1_1.fq.gz: the link points to nothing; correct the path",),
    ),
    Case(
        "FASTQ",
        "a folder",
        edit("units.tsv", "reads/C1.fq", "reads"),
        ("error: units.tsv:7: fq1: reads: a folder, not a file; name the FASTQ file",),
    ),
    Case(
        "FASTQ",
        "an empty file",
        replace(READ1, b""),
        ("error: units.tsv:4: fq1: reads/R1_1.fq.gz: the file is empty (0 bytes); copy it again, or remove the row",),
    ),
    Case(
        "FASTQ",
        "a gzip of nothing",
        replace(READ1, gzip.compress(b"", mtime=0)),
        (
            "warning: units.tsv:4: fq1: reads/R1_1.fq.gz: the file holds no reads; copy it again if it should; else go "
            "on: a sample without reads is flagged",
            "error: units.tsv:4: fq2: reads/R1_2.fq.gz: it holds reads, fq1 none; copy both files again: mates must "
            "correspond",
        ),
    ),
    Case(
        "FASTQ",
        "a truncated gzip",
        cut(READ1, 12),
        (
            "error: units.tsv:4: fq1: reads/R1_1.fq.gz: truncated gzip: the file ends in the middle; copy "
            "or download it again",
        ),
    ),
    Case(
        "FASTQ",
        "a damaged gzip",
        replace(READ1, gzip.compress(reads("R1"), mtime=0)[:-8] + b"damaged!"),
        ("error: units.tsv:4: fq1: reads/R1_1.fq.gz: damaged gzip: it cannot be inflated; copy or download it again",),
    ),
    Case(
        "FASTQ",
        "something after the end of a gzip",
        append(READ1, "more"),
        (
            "error: units.tsv:4: fq1: reads/R1_1.fq.gz: something else follows the end of the gzip; copy "
            "or download it again",
        ),
    ),
    Case(
        "FASTQ",
        "plain text named .gz",
        replace(READ1, reads("R1")),
        (
            "error: units.tsv:4: fq1: reads/R1_1.fq.gz: not gzip though its name ends in .gz; compress it "
            "with gzip, or rename it",
        ),
    ),
    Case(
        "FASTQ",
        "another compression",
        replace(READ1, bz2.compress(reads("R1"))),
        ("error: units.tsv:4: fq1: reads/R1_1.fq.gz: the file is compressed with bzip2; compress it with gzip",),
    ),
    Case(
        "FASTQ",
        "FASTA",
        replace("reads/C1.fq", ">r1\nACGT\n"),
        ("error: units.tsv:7: fq1: reads/C1.fq: the file is FASTA, not FASTQ; give reads with qualities",),
    ),
    Case(
        "FASTQ",
        "a web page saved as FASTQ",
        replace(READ1, "<!DOCTYPE html>"),
        ("error: units.tsv:4: fq1: reads/R1_1.fq.gz: the file is a web page or XML; download the file again",),
    ),
    Case(
        "FASTQ",
        "text that is no FASTQ",
        replace("reads/C1.fq", SAMPLES),
        (
            "error: units.tsv:7: fq1: reads/C1.fq:1: not FASTQ: a record begins with "
            "'sample\\tsubject\\trole\\tday', not with @; give a FASTQ file with four lines for each read",
        ),
    ),
    Case(
        "FASTQ",
        "Windows line ends",
        replace("reads/C1.fq", reads("C1").replace(b"\n", b"\r\n")),
        ("error: units.tsv:7: fq1: reads/C1.fq:1: lines end in CR LF (Windows); convert it with dos2unix",),
    ),
    Case(
        "FASTQ",
        "a record with too few qualities",
        edit("reads/C1.fq", "FF\n", "F\n"),
        (
            "error: units.tsv:7: fq1: reads/C1.fq:4: a read has 80 bases and 79 qualities; copy or "
            "download the file again",
        ),
    ),
    Case(
        "FASTQ",
        "a last record that is cut off",
        cut("reads/C1.fq", 83),
        (
            "error: units.tsv:7: fq1: reads/C1.fq:77: the last record is incomplete (2 of 4 lines); copy "
            "or download the file again",
        ),
    ),
    Case(
        "FASTQ",
        "mates of another run",
        replace(READ2, gzip.compress(reads("X1", mate=2), mtime=0)),
        (
            "error: units.tsv:4: fq2: reads/R1_2.fq.gz: its first read is 'X1.0', that of fq1 is 'R1.0'; "
            "give the two files of one run, in the same order of reads",
        ),
    ),
    Case(
        "FASTQ",
        "mates with a read less",
        replace(READ2, gzip.compress(reads("R1", 19, mate=2), mtime=0)),
        (
            "error: units.tsv:4: fq2: reads/R1_2.fq.gz: it has 19 reads, fq1 has 20; copy both files "
            "again: mates must correspond",
        ),
    ),
    Case(
        "FASTQ",
        "the same mates twice",
        replace(READ2, gzip.compress(reads("R1", 21), mtime=0)),
        (
            (
                "error: units.tsv:4: fq2: reads/R1_2.fq.gz: fq1 and fq2 both hold mates 1; name the file of "
                "the other mates"
            ),
            (
                "error: units.tsv:4: fq2: reads/R1_2.fq.gz: it has 21 reads, fq1 has 20; copy both files "
                "again: mates must correspond"
            ),
        ),
    ),
    Case(
        "FASTQ",
        "mates the wrong way round (used all the same)",
        both(
            replace(READ1, gzip.compress(reads("R1", mate=2), mtime=0)),
            replace(READ2, gzip.compress(reads("R1", mate=1), mtime=0)),
        ),
        ("warning: units.tsv:4: fq2: reads/R1_2.fq.gz: fq1 holds mates 2 and fq2 mates 1; swap them",),
    ),
    Case(
        "Config",
        "a configuration that does not exist",
        remove("config.yaml"),
        ("error: config.yaml: the file does not exist; correct the path",),
    ),
    Case(
        "Config",
        "an empty configuration",
        replace("config.yaml", ""),
        ("error: config.yaml: the file is empty; start from the template config/config.yaml",),
    ),
    Case(
        "Config",
        "a line that is not YAML",
        edit("config.yaml", "seed: 3", "seed 3"),
        (
            "error: config.yaml:6: not YAML: while scanning a simple key could not find expected ':'; "
            "mend the line, or the one above",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "a tab in YAML",
        edit("config.yaml", "  tree", "\ttree"),
        (
            "error: config.yaml:10: not YAML: while scanning for the next token found character '\\t' that "
            "cannot start any token; mend the line, or the one above",
        ),
    ),
    Case(
        "Config",
        "a key twice",
        append("config.yaml", "seed: 4\n"),
        ("error: config.yaml:6: seed: key 'seed' stands already in line 5; keep one",),
        "profiles",
    ),
    Case(
        "Config",
        "an unknown key",
        edit("config.yaml", "seed", "sead"),
        ("error: config.yaml:5: sead: key 'sead' is not known; did you mean 'seed'?",),
        "profiles",
    ),
    Case(
        "Config",
        "a key in the wrong section",
        append("config.yaml", "min_mapq: 5\n"),
        (
            "error: config.yaml:6: min_mapq: key 'min_mapq' is not known; "
            "did you mean 'metaphlan.min_mapq' or 'strains.min_mapq'?",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "a key with the name of a section",
        append("config.yaml", "detection: 0.001\n"),
        ("error: config.yaml:6: detection: 0.001 is not a section; did you mean 'profile.detection'?",),
        "profiles",
    ),
    Case(
        "Config",
        "a missing key",
        edit("config.yaml", "samples: samples.tsv\n", ""),
        ("error: config.yaml: samples: key 'samples' is missing; add it: Table of samples.",),
        "profiles",
    ),
    Case(
        "Config",
        "a value of the wrong type",
        edit("config.yaml", "seed: 3", "seed: three"),
        ("error: config.yaml:5: seed: 'three' is not an integer; write a whole number, without quotes",),
        "profiles",
    ),
    Case(
        "Config",
        "a value out of range",
        append("config.yaml", "profile: {detection: 2}\n"),
        ("error: config.yaml:6: profile.detection: 2 is out of range; it must be between 0 and 1",),
        "profiles",
    ),
    Case(
        "Config",
        "a value that is not allowed",
        append("config.yaml", "diversity: {beta: [braycurtis]}\n"),
        (
            "error: config.yaml:6: diversity.beta: 'braycurtis' is not allowed; did you mean "
            "'bray_curtis'? Allowed: bray_curtis, jaccard, aitchison, robust_aitchison, hellinger, "
            "unweighted_unifrac, weighted_unifrac",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "a value in place of a section",
        append("config.yaml", "profile: species\n"),
        ("error: config.yaml:6: profile: 'species' is not a section; write its keys under `profile:`, indented",),
        "profiles",
    ),
    Case(
        "Config",
        "both units and profiles",
        append("config.yaml", "profiles: merged.tsv\n"),
        ("error: config.yaml:14: profiles: both units and profiles are given; give FASTQ files or profiles, not both",),
    ),
    Case(
        "Config",
        "neither units nor profiles",
        edit("config.yaml", "units: units.tsv\n", ""),
        (
            "error: config.yaml: units: neither units nor profiles is given; name the table of FASTQ "
            "files or the profiles",
        ),
    ),
    Case(
        "Config",
        "FASTQ without a database",
        edit("config.yaml", f"  index: {INDEX}\n", ""),
        (
            "error: config.yaml:6: metaphlan.index: the value is empty; starting from FASTQ needs the "
            "name of the database",
        ),
    ),
    Case(
        "Config",
        "a metric that needs a tree",
        append("config.yaml", "diversity: {alpha: [faith_pd]}\n"),
        (
            "error: config.yaml:6: diversity.alpha: metric 'faith_pd' needs a tree; set diversity.tree, "
            "or remove the metric",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "a factor that is no column",
        edit("config.yaml", "[arm]", "[arms]"),
        (
            "error: config.yaml:12: diversity.permanova.factors: column 'arms' is not in samples.tsv and "
            "subjects.tsv; name a column (did you mean 'arm'?)",
        ),
    ),
    Case(
        "Config",
        "a factor that is the strata",
        edit("config.yaml", "[arm]", "[subject]"),
        (
            "error: config.yaml:13: diversity.permanova.strata: factor 'subject' is also the strata; "
            "samples are permuted within strata: remove one",
        ),
    ),
    Case(
        "Config",
        "groups of a column that is not there",
        append("config.yaml", "compare: {by: [centre, donor, arm], covariates: [age]}\nnulls: {strata: batch}\n"),
        (
            "error: config.yaml:6: compare.by: column 'centre' is not in subjects.tsv; name a column",
            "error: config.yaml:6: compare.covariates: column 'age' is not in subjects.tsv and samples.tsv; name a "
            "column",
            "error: config.yaml:7: nulls.strata: column 'batch' is not in subjects.tsv and samples.tsv; name a column",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "days of comparison that are not two",
        append("config.yaml", "compare: {window: [30, 20]}\n"),
        (
            "error: config.yaml:6: compare.window: [30, 20] is not a first and a last day; give two days, or [] "
            "for none",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "fewer reads drawn than a profile needs",
        append("config.yaml", "rarefy_reads: 500\n"),
        (
            "error: config.yaml:14: rarefy_reads: 500 reads are too few: a sample with fewer than min_reads (1000) "
            "is not profiled; draw more reads, or 0 for all",
        ),
    ),
    Case(
        "Config",
        "reads to be drawn of finished profiles",
        append("config.yaml", "rarefy_reads: 5000\n"),
        (
            "warning: config.yaml:6: rarefy_reads: the reads of finished profiles cannot be drawn; draw them before "
            "profiling, or set detection.repair",
        ),
        "profiles",
    ),
    Case(
        "Config",
        "options with an open quote",
        append("config.yaml", 'fastp: {extra: "--adapter_sequence \'AC"}\n'),
        (
            'error: config.yaml:14: fastp.extra: "--adapter_sequence \'AC" is not a list of options (no '
            "closing quotation); close the quotes",
        ),
    ),
    Case(
        "Config",
        "results that are a file",
        append("config.yaml", "results: samples.tsv\n"),
        ("error: config.yaml:6: results: 'samples.tsv' is a file; name a folder",),
        "profiles",
    ),
    Case(
        "Profiles",
        "a profile that does not exist",
        edit("config.yaml", "profiles/*_profile.tsv", "merged.tsv"),
        ("error: config.yaml:4: profiles: 'merged.tsv' does not exist; correct the path",),
        "profiles",
    ),
    Case(
        "Profiles",
        "a pattern that nothing matches",
        edit("config.yaml", "*_profile", "*_table"),
        ("error: config.yaml:4: profiles: no file matches 'profiles/*_table.tsv'; correct the path",),
        "profiles",
    ),
    Case(
        "Profiles",
        "a sample without a profile",
        remove("profiles/R1.0_profile.tsv"),
        ("error: samples.tsv:4: sample: sample 'R1.0' has no profile; add the profile, or remove the row",),
        "profiles",
    ),
    Case(
        "Profiles",
        "a donor sample without a profile (counted as not profiled)",
        remove("profiles/D2.a_profile.tsv"),
        ("warning: samples.tsv:3: sample: donor sample 'D2.a' has no profile; its products count as not profiled",),
        "profiles",
    ),
    Case(
        "Profiles",
        "a profile of an unknown sample",
        replace("profiles/X_profile.tsv", profile("X9")),
        (
            "error: profiles/X_profile.tsv: profile of sample 'X9', which is not in samples.tsv; add a "
            "row to samples.tsv, or remove the profile",
        ),
        "profiles",
    ),
    Case(
        "Profiles",
        "two profiles of one sample",
        replace("profiles/X_profile.tsv", profile("C1.0")),
        (
            "error: profiles/X_profile.tsv: sample 'C1.0' stands in profiles/C1.0_profile.tsv as well; "
            "keep one or rename it",
        ),
        "profiles",
    ),
    Case(
        "Profiles",
        "profiles of different databases",
        replace("profiles/C1.0_profile.tsv", profile("C1.0", "mpa_vJan25")),
        (
            "error: profiles/C1.0_profile.tsv:1: the table is of database mpa_vJan25, while 4 of 5 tables "
            "are of mpa_vTest_202601 (such as profiles/D1.a_profile.tsv); profile all samples with one "
            "database: SGBs of different databases are not comparable",
        ),
        "profiles",
    ),
    Case(
        "Profiles",
        "a file that is no MetaPhlAn table",
        replace("profiles/C1.0_profile.tsv", SAMPLES),
        (
            "error: profiles/C1.0_profile.tsv: not a MetaPhlAn table; give the table that `metaphlan -o` "
            "writes, or a merged one",
        ),
        "profiles",
    ),
    Case(
        "Profiles",
        "a profile that is cut off",
        cut("profiles/C1.0_profile.tsv", 23),
        ("error: profiles/C1.0_profile.tsv:10: the row is cut off: 1 of 5 cells; copy or make the table again",),
        "profiles",
    ),
    Case(
        "Profiles",
        "fractions instead of percentages",
        replace(
            "profiles/C1.0_profile.tsv",
            profile("C1.0").replace("80.0", "0.8").replace("20.0", "0.2").replace("50.0", "0.5").replace("30.0", "0.3"),
        ),
        (
            "error: profiles/C1.0_profile.tsv: C1.0: the rows of sample 'C1.0' sum to 1: fractions, not "
            "percentages; give MetaPhlAn's relative abundances (percent)",
        ),
        "profiles",
    ),
    Case(
        "Profiles",
        "an abundance that is no number",
        edit("profiles/C1.0_profile.tsv", "50.0", "50,0"),
        ("error: profiles/C1.0_profile.tsv:9: C1.0: '50,0' is not a number; write decimals with a point",),
        "profiles",
    ),
    Case(
        "Profiles",
        "a feature table with an empty cell",
        both(edit("config.yaml", "profiles/*_profile.tsv", "ec.tsv"), replace("ec.tsv", EC)),
        (
            "error: ec.tsv: R1.0: feature '2.7.7.7' of sample 'R1.0' is empty; write 0 where it was "
            "looked for and not found",
        ),
        "profiles",
    ),
    Case(
        "Profiles",
        "a feature table without numbers",
        both(edit("config.yaml", "profiles/*_profile.tsv", "ec.tsv"), replace("ec.tsv", EC.replace("4", "four"))),
        ("error: ec.tsv:2: D1.a: 'four' is not a number; write a number or leave it empty",),
        "profiles",
    ),
    Case(
        "References",
        "no host index",
        edit("config.yaml", "ref/host", "ref/human"),
        (
            "error: config.yaml:5: host_index: no Bowtie 2 index 'ref/human' (.1.bt2 or .1.bt2l); correct "
            "the prefix, or make it: bowtie2-build HOST.fa ref/human",
        ),
    ),
    Case(
        "References",
        "one file of the host index instead of its prefix",
        edit("config.yaml", "ref/host", "ref/host.1.bt2"),
        ("error: config.yaml:5: host_index: 'ref/host.1.bt2' is one file of an index; write the prefix 'ref/host'",),
    ),
    Case(
        "References",
        "an incomplete host index",
        both(remove("ref/host.rev.2.bt2"), replace("ref/host.3.bt2", "")),
        (
            "error: config.yaml:5: host_index: the Bowtie 2 index 'ref/host' lacks host.3.bt2, "
            "host.rev.2.bt2 (missing or empty); copy or make the index again",
        ),
    ),
    Case(
        "References",
        "no database folder",
        edit("config.yaml", "database: db", "database: database"),
        (
            "error: config.yaml:7: metaphlan.database: 'database' does not exist; correct it, or download "
            "the database: snakemake metaphlan_database",
        ),
    ),
    Case(
        "References",
        "a database that is not in the folder",
        edit("config.yaml", INDEX, "mpa_vJan25"),
        ("error: config.yaml:8: metaphlan.index: no database 'mpa_vJan25' in 'db'; there is mpa_vTest_202601",),
    ),
    Case(
        "References",
        "a database without its .pkl",
        remove(f"db/{INDEX}.pkl"),
        ("error: config.yaml:8: metaphlan.index: 'db/mpa_vTest_202601.pkl' is missing; download the database again",),
    ),
    Case(
        "References",
        "a .pkl that is something else",
        replace(f"db/{INDEX}.pkl", "<html>"),
        (
            "error: config.yaml:8: metaphlan.index: 'db/mpa_vTest_202601.pkl' is not a MetaPhlAn database "
            "(bz2); download the database again",
        ),
    ),
    Case(
        "References",
        "a database with a part of its index",
        remove(f"db/{INDEX}.2.bt2l"),
        (
            "error: config.yaml:8: metaphlan.index: the Bowtie 2 index 'db/mpa_vTest_202601' lacks "
            "mpa_vTest_202601.2.bt2l (missing or empty); copy or make the index again",
        ),
    ),
    Case(
        "References",
        "a database with a small index",
        small_index,
        (
            "error: config.yaml:8: metaphlan.index: the Bowtie 2 index 'db/mpa_vTest_202601' is small "
            "(.bt2), MetaPhlAn needs a large one (.bt2l); make it with bowtie2-build --large-index",
        ),
    ),
    Case(
        "References",
        "no tree",
        remove("tree.nwk"),
        ("error: config.yaml:10: diversity.tree: 'tree.nwk': the file does not exist; correct the path",),
    ),
    Case(
        "References",
        "a tree that is none",
        replace("tree.nwk", SAMPLES),
        (
            "error: config.yaml:10: diversity.tree: 'tree.nwk': not a Newick tree (Newick files cannot "
            "have unescaped whitespace in their labels.); give the tree of the marker database",
        ),
    ),
    Case(
        "References",
        "a tree without lengths",
        replace("tree.nwk", "((1,2),3);"),
        (
            "error: config.yaml:10: diversity.tree: 'tree.nwk': 4 branches of the tree have no length; "
            "give a tree with branch lengths",
        ),
    ),
    Case(
        "Patients",
        "a table of assessments of somebody else, and an impossible status",
        both(
            replace("lesions.tsv", "subject\tday\tsum_diameters\tnon_target\nR1\t-7\t-40\tCR\nR9\t-3\t20\tbetter\n"),
            append("config.yaml", "lesions: lesions.tsv\n"),
        ),
        (
            "error: lesions.tsv:2: sum_diameters: -40 is out of range; it must be at least 0",
            "error: lesions.tsv:3: non_target: 'better' is not allowed; use one of CR, non_CR_non_PD, PD, NE",
            "error: lesions.tsv:3: subject: subject 'R9' is not in the subjects table; add a row there",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "a grade of 7, and an adverse event that is over before it begins",
        both(
            replace("tox.tsv", "subject\tday\tgrade\tterm\tend_day\nR1\t30\t7\tcolitis\t\nC1\t40\t2\trash\t12\n"),
            append("config.yaml", "toxicities: tox.tsv\n"),
        ),
        (
            "error: tox.tsv:2: grade: 7 is out of range; it must be between 1 and 5",
            "error: tox.tsv:3: end_day: end_day 12 is before day 40; correct one of them",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "a death without its day, a progression of which nobody knows whether it was one, and grades that disagree",
        both(
            replace(
                "subjects.tsv",
                "subject\tarm\tos_days\tos_event\tpfs_days\tpfs_event\tirae_grade\n"
                "R1\tfmt\t\t1\t30\t\t2\nC1\tplacebo\t300\t0\t90\t1\t3\nD1\t\t\t\t\t\t\nR2\tfmt\t40\t0\t40\t0\t3\n",
            ),
            replace(
                "tox.tsv",
                "subject\tday\tgrade\tterm\nR1\t30\t4\tcolitis\nC1\t\t3\trash\nD2\t9\t1\trash\nR2\t41\t3\trash\n",
            ),
            append("config.yaml", "toxicities: tox.tsv\n"),
        ),
        (
            "warning: samples.tsv:3: subject: subject 'D2' is not in subjects.tsv; add a row there",
            "error: subjects.tsv:2: pfs_event: subject 'R1' has pfs_days 30 and no pfs_event; write 1 where it "
            "happened and 0 where it was censored, or leave both empty",
            "error: subjects.tsv:2: os_days: subject 'R1' has os_event 1 and no os_days; write how many days it was "
            "followed, or leave both empty",
            "error: subjects.tsv:2: irae_grade: subject 'R1' has irae_grade 2, but its worst event in toxicities is of "
            "grade 4; make the two tables agree",
            "warning: tox.tsv:3: day: a severe event of subject 'C1' has no day: the subject is left out of the time "
            "to toxicity; fill in the day: without this subject the share with a severe event by a day is estimated "
            "too low",
            "error: subjects.tsv:5: os_days: the first severe event of subject 'R2' is on day 41, after os_days 40; "
            "correct one of the days",
            "error: tox.tsv:4: subject: subject 'D2' is not in the subjects table; add a row there: toxicity is told "
            "of the subjects table",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "a time to death without a word whether it was death, and an event that nobody saw",
        both(
            replace(
                "subjects.tsv",
                "subject\tarm\tos_days\tirae_grade\nR1\tfmt\t20\t3\nC1\tplacebo\t300\t0\nD1\t\t\t\nD2\t\t\t\n",
            ),
            replace("tox.tsv", "subject\tday\tgrade\tterm\nC1\t-3\t2\trash\n"),
            append("config.yaml", "toxicities: tox.tsv\n"),
        ),
        (
            "error: subjects.tsv: os_event: column 'os_event' is missing; add it",
            "warning: subjects.tsv:2: irae_grade: subject 'R1' has irae_grade 3, and no event in toxicities: "
            "irae_grade is used, the day is not known; add its events if they are known",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "a drug of unknown kind, without its day",
        both(
            replace("drugs.tsv", "subject\tday\tkind\tname\nR1\t\tantibiotic\tvancomycin\nR1\t3\t\tprednisone\n"),
            append("config.yaml", "treatments: drugs.tsv\n"),
        ),
        (
            "error: drugs.tsv:2: day: the cell is empty; fill it in",
            "error: drugs.tsv:3: kind: the cell is empty; fill it in",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "response by RECIST without assessments, and a predictor that nobody knows",
        append("config.yaml", "clinical: {criteria: recist_1_1, predictors: [age]}\n"),
        (
            "error: config.yaml:6: clinical.predictors: column 'age' is not in subjects.tsv; name a column",
            "error: config.yaml:6: clinical.criteria: recist_1_1 needs tumour assessments; name their table in lesions",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "a table of molecules that names nobody of the study, and one with words in its cells",
        both(
            replace("cytokines.tsv", "subject\tday\tIL6\tIL8\nR1\t0\t<0.5\tlow\nR1\t28\t2,5\t3\n"),
            replace("cells.tsv", "sample\tCD8\nX1\t20\nX2\t21\n"),
            append("config.yaml", "tables:\n  cytokines: {file: cytokines.tsv, unit: pg/mL}\n  cells: cells.tsv\n"),
        ),
        (
            "error: cytokines.tsv:2: IL8: 'low' is not a number; write a number, <LIMIT or >LIMIT; leave the"
            " cell empty where nothing was measured",
            "error: cytokines.tsv:3: IL6: '2,5' is not a number; write decimals with a point",
            "error: cells.tsv: sample: none of the 2 samples is in the study ('X1', 'X2'); correct the "
            "names: those of the study are like 'C1.0'",
        ),
        "profiles",
    ),
    Case(
        "Patients",
        "tables of molecules that are none, or stand under a name that is taken",
        append("config.yaml", "tables:\n  a: {file: no.tsv, transfrom: log}\n  b: none.tsv\n  taxa: x.tsv\n"),
        (
            "error: config.yaml:7: tables.a.transfrom: key 'transfrom' is not known; did you mean 'transform'?",
            "error: config.yaml:9: tables.taxa: 'taxa' is the name of another table; name it otherwise: "
            "taxa, ec, ko, pathways, subjects, samples, outcomes, rates, depleted, engrafted are tables of "
            "the toolkit",
            "error: config.yaml:8: tables.b.file: 'none.tsv' does not exist; correct the path",
        ),
        "profiles",
    ),
    Case(
        "Programs",
        "a program that is not on PATH",
        remove("bin/fastp"),
        (
            "error: fastp: not found on PATH (trims and filters reads); install fastp 0.20 or newer, or "
            "run Snakemake with --sdm conda",
        ),
    ),
    Case(
        "Programs",
        "a program that is too old",
        lambda root: tool(root, "metaphlan", "echo 'MetaPhlAn version 3.1.0 (25 Jul 2022)'"),
        (
            "error: metaphlan: bin/metaphlan is version 3.1.0, 4.1 or newer is needed; install metaphlan "
            "4.1 or newer, or run Snakemake with --sdm conda",
        ),
    ),
    Case(
        "Programs",
        "a program that does not run",
        lambda root: tool(root, "bowtie2", "echo 'error while loading shared libraries: libtbb.so.2' >&2; exit 127"),
        (
            "error: bowtie2: bin/bowtie2 --version ends with exit code 127 (error while loading shared "
            "libraries: libtbb.so.2); install bowtie2 2.4 or newer, or run Snakemake with --sdm conda",
        ),
    ),
    Case(
        "Programs",
        "a program whose version cannot be told",
        lambda root: tool(root, "multiqc", "echo unknown"),
        (
            "warning: multiqc: the version of bin/multiqc cannot be told; install multiqc 1.12 or newer, "
            "or run Snakemake with --sdm conda",
        ),
    ),
)


def page() -> str:
    """Return docs/messages.md."""
    lines = [
        "# Broken input and what is said of it",
        "",
        "<!-- made by `python tests/broken_cases.py` from the cases that the tests compare; do not edit -->",
        "",
        "`microbiome check` prints all problems at once, one per line: `FILE:LINE: COLUMN: what is wrong; what to do`.",
        "An error ends it with exit code 2; a warning is only said (`--strict` makes it count). The files of the",
        "examples are those of the tests.",
    ]
    group = ""
    for case in CASES:
        if case.group != group:
            group = case.group
            lines += ["", f"## {group}", "", "| what is broken | what is printed |", "|---|---|"]
        said = "<br>".join(f"`` {line} ``" if "`" in line else f"`{line}`" for line in case.says)
        lines.append(f"| {case.what} | " + said.replace("|", "\\|") + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target = Path(__file__).resolve().parent.parent / "docs" / "messages.md"
    target.write_text(page(), encoding="utf-8")
