# One adonis2 with blocks: Rscript permanova.R FOLDER PERMUTATIONS; reads and writes what permanova.py says.
suppressMessages(library(vegan))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- arguments[1]
labels <- read.delim(file.path(folder, "labels.tsv"), colClasses = "character", na.strings = character())
n <- nrow(labels)
d <- as.dist(matrix(readBin(file.path(folder, "distances.bin"), "double", n * n), n))
labels$disease <- factor(labels$disease)
labels$dataset_name <- factor(labels$dataset_name)
set.seed(1)
started <- proc.time()
fit <- adonis2(d ~ disease, data = labels, permutations = how(nperm = as.integer(arguments[2]), blocks = labels$dataset_name))
used <- proc.time() - started
cat(
  sprintf(
    '{"seconds": %.3f, "cpu": %.3f, "f": %.15g, "p": %.6g}',
    used[["elapsed"]], used[["user.self"]] + used[["sys.self"]], fit$F[1], fit$`Pr(>F)`[1]
  ),
  file = file.path(folder, "vegan.json")
)
