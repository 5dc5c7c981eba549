# Golden values of the diversity measures, by vegan: `Rscript make_vegan.R` in this folder, after `python make_inputs.py`.
# Written with vegan 2.6-4, permute 0.9-7, R 4.2.2.
suppressMessages(library(vegan))

write <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) sub("NA", "", sprintf("%.17g", x), fixed = TRUE))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE)
}

x <- as.matrix(read.delim("vegan_abundance.tsv", row.names = 1))
samples <- read.delim("vegan_samples.tsv", stringsAsFactors = FALSE)
stopifnot(identical(rownames(x), samples$sample))
for (name in c("subject", "arm", "time", "group")) samples[[name]] <- factor(samples[[name]])

# Alpha
shannon <- diversity(x, "shannon")
write(
  data.frame(
    sample = rownames(x), richness = specnumber(x), shannon = shannon, simpson = diversity(x, "simpson"),
    inverse_simpson = diversity(x, "invsimpson"), pielou = shannon / log(specnumber(x)),
    berger_parker = apply(decostand(x, "total"), 1, max)
  ),
  "vegan_alpha.tsv"
)

# Beta. Multiplicative replacement of zeros is not in vegan: its definition, in three lines.
delta <- min(x[x > 0]) / 2
zeros <- rowSums(x == 0)
replaced <- ifelse(x == 0, delta, x * (1 - zeros * delta))
distances <- list(
  bray_curtis = vegdist(x, "bray"),
  jaccard = vegdist(x, "jaccard", binary = TRUE),
  aitchison = vegdist(replaced, "aitchison"),
  aitchison_pseudocount = vegdist(x, "aitchison", pseudocount = 0.001),
  robust_aitchison = vegdist(x, "robust.aitchison"),
  hellinger = dist(decostand(x, "hellinger"))
)
pairs <- t(combn(rownames(x), 2))
long <- data.frame(sample_1 = pairs[, 1], sample_2 = pairs[, 2])
for (metric in names(distances)) long[[metric]] <- as.matrix(distances[[metric]])[pairs]
write(long, "vegan_beta.tsv")

# PCoA
eigenvalues <- data.frame()
for (metric in names(distances)) {
  values <- wcmdscale(distances[[metric]], eig = TRUE)$eig
  plain <- cmdscale(distances[[metric]], k = 3, eig = TRUE)
  stopifnot(max(abs(plain$eig[1:5] - values[1:5])) < 1e-10)
  eigenvalues <- rbind(eigenvalues, data.frame(metric = metric, number = seq_along(values), eigenvalue = values))
}
write(eigenvalues, "vegan_pcoa.tsv")
points <- cmdscale(distances$bray_curtis, k = 3)
write(data.frame(sample = rownames(points), axis_1 = points[, 1], axis_2 = points[, 2], axis_3 = points[, 3]), "vegan_points.tsv")

# PERMANOVA: no restriction, within subjects, whole subjects.
permutations <- 19999
schemes <- list(
  free = how(nperm = permutations),
  `within strata` = how(nperm = permutations, blocks = samples$subject),
  `whole strata` = how(nperm = permutations, plots = Plots(samples$subject, type = "free"), within = Within(type = "none"))
)
tested <- data.frame(
  factor = c("group", "time", "time", "arm", "arm", "age", "age"),
  scheme = c("free", "free", "within strata", "free", "whole strata", "free", "whole strata")
)
results <- data.frame()
for (metric in c("bray_curtis", "aitchison", "hellinger")) {
  d <- distances[[metric]]
  for (i in seq_len(nrow(tested))) {
    set.seed(1)
    control <- schemes[[tested$scheme[i]]]
    fit <- adonis2(as.formula(paste("d ~", tested$factor[i])), data = samples, permutations = control)
    results <- rbind(results, data.frame(
      metric = metric, factor = tested$factor[i], scheme = tested$scheme[i], pseudo_f = fit$F[1], r2 = fit$R2[1],
      p_value = fit$`Pr(>F)`[1], permutations = permutations
    ))
  }
}
write(results, "vegan_permanova.tsv")

# PERMDISP
spread <- data.frame()
for (metric in c("bray_curtis", "aitchison", "hellinger")) {
  for (name in c("group", "time", "arm")) {
    for (adjust in c(FALSE, TRUE)) {
      fit <- betadisper(distances[[metric]], samples[[name]], type = "centroid", bias.adjust = adjust)
      spread <- rbind(spread, data.frame(
        metric = metric, factor = name, adjust = as.integer(adjust), f = anova(fit)$F[1],
        sample = rownames(x), distance = unname(fit$distances)
      ))
    }
  }
}
write(spread, "vegan_permdisp.tsv")
