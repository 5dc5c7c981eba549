# Golden values of toxicity and donor clusters: `Rscript make_toxicity.R` in this folder. The data are drawn here.
# Written with R 4.2.2, survival 3.5-3, cluster 2.1.4.
suppressMessages({
  library(survival)
  library(cluster)
})

write <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) sub("NA", "", sprintf("%.17g", x), fixed = TRUE))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# Tables of counts, one string each: rows separated by |, cells by blanks.
tables <- c(
  "8 1|1 8", "16 4|5 15", "3 0|0 3", "20 0|17 3", "10 2|3 15", "7 2|5 5|1 8", "4 0|3 2|0 5|2 2", "2 1|1 2|3 0|0 3|1 1|2 2",
  "3 2 1 0|1 4 2 3|0 2 5 1", "5 3 2 1 0|2 2 4 3 1", "1 0 2 3 0 1|4 1 0 2 2 0|0 3 1 0 1 2"
)
exact <- data.frame()
for (text in tables) {
  table <- do.call(rbind, lapply(strsplit(text, "|", fixed = TRUE)[[1]], function(row) as.integer(strsplit(row, " ")[[1]])))
  found <- fisher.test(table, workspace = 2e7)
  two <- all(dim(table) == 2)
  exact <- rbind(exact, data.frame(
    table = text, p_value = found$p.value, odds_ratio = if (two) unname(found$estimate) else NA,
    ci_low = if (two) found$conf.int[1] else NA, ci_high = if (two) found$conf.int[2] else NA,
    chi2 = suppressWarnings(chisq.test(table, correct = FALSE)$p.value),
    chi2_yates = if (two) suppressWarnings(chisq.test(table)$p.value) else NA
  ))
}
exact[exact == Inf] <- NA
write(exact, "toxicity_tables.tsv")

# Grades of two groups: every arrangement of the labels.
grades <- list(a = c(0, 1, 1, 2, 2, 3), b = c(2, 3, 3, 4, 1))
ranks <- rank(unlist(grades))
n <- length(grades$a)
sums <- combn(length(ranks), n, function(i) sum(ranks[i]))
middle <- n * mean(ranks)
p <- mean(abs(sums - middle) >= abs(sum(ranks[seq_len(n)]) - middle) - 1e-9)
write(data.frame(a = paste(grades$a, collapse = " "), b = paste(grades$b, collapse = " "), p_value = p), "toxicity_grades.tsv")

# Time to the first severe event, death competing; ties of all kinds.
set.seed(5)
n <- 60
time <- pmin(ceiling(rexp(n, 1 / 120)), 200)
status <- ifelse(time == 200, 0, sample(0:2, n, TRUE, c(0.3, 0.4, 0.3)))
write(data.frame(subject = sprintf("s%02d", seq_len(n)), time, status), "toxicity_times.tsv")
curve <- function(status, method) {
  fit <- survfit(Surv(time, factor(status, 0:2, c("censored", "event", "death"))) ~ 1, conf.type = "log-log", id = seq_len(n))
  data.frame(
    method, time = fit$time, at_risk = fit$n.risk[, 1], incidence = fit$pstate[, 2], std_error = fit$std.err[, 2],
    ci_low = fit$lower[, 2], ci_high = fit$upper[, 2]
  )
}
aj <- curve(status, "aalen_johansen")
km <- survfit(Surv(time, status == 1) ~ 1, robust = TRUE, id = seq_len(n))
km <- data.frame(
  method = "one_minus_kaplan_meier", time = km$time, at_risk = km$n.risk, incidence = 1 - km$surv,
  std_error = km$std.err, ci_low = NA, ci_high = NA
)
write(rbind(aj, km), "toxicity_curves.tsv")

# Donors: three groups, clusters by average linkage and around medoids, silhouettes, dispersion.
set.seed(11)
centres <- matrix(rexp(3 * 12), 3)
group <- c(1, 1, 1, 1, 2, 2, 2, 3, 3, 1, 2, 3)
profile <- t(sapply(group, function(g) rgamma(12, 4 * centres[g, ], 1)))
profile <- round(profile / rowSums(profile), 6)
dimnames(profile) <- list(sprintf("D%02d", seq_along(group)), sprintf("t%02d", 1:12))
write(data.frame(donor = rownames(profile), profile), "toxicity_donors.tsv")
n <- nrow(profile)
distances <- matrix(0, n, n)
for (i in 1:n) for (j in 1:n) distances[i, j] <- sum(abs(profile[i, ] - profile[j, ])) / sum(profile[i, ] + profile[j, ])
points <- suppressWarnings(cmdscale(as.dist(distances), k = n - 1))
clusters <- data.frame()
for (k in 2:6) {
  for (method in c("average", "pam")) {
    labels <- if (method == "pam") {
      pam(as.dist(distances), k)$clustering
    } else {
      cutree(hclust(as.dist(distances), "average"), k)
    }
    widths <- silhouette(labels, as.dist(distances))[, 3]
    within <- sum(sapply(split(seq_len(n), labels), function(i) sum(dist(points[i, , drop = FALSE])^2) / length(i)))
    clusters <- rbind(clusters, data.frame(
      clusters = k, method, donor = rownames(profile), cluster = labels, silhouette = widths, log_dispersion = log(within)
    ))
  }
}
write(clusters, "toxicity_clusters.tsv")
