# Golden values of microbiome/clinical/proportions.py and response.py: `Rscript make_response.R` in this folder.
# Written with R 4.2.2 (package stats only).
write <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) sub("NA", "", sprintf("%.17g", x), fixed = TRUE))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# Proportions: those of the two trials, and the ends.
counts <- rbind(
  c(16, 20), c(15, 20), c(19, 20), c(13, 20), c(3, 20), c(0, 20), c(9, 18), c(12, 18), c(18, 18), c(1, 1), c(0, 1),
  c(37, 245)
)
one <- data.frame()
for (i in seq_len(nrow(counts))) {
  for (level in c(0.95, 0.9)) {
    x <- counts[i, 1]
    n <- counts[i, 2]
    exact <- binom.test(x, n, conf.level = level)$conf.int
    wilson <- suppressWarnings(prop.test(x, n, correct = FALSE, conf.level = level))$conf.int
    one <- rbind(
      one,
      data.frame(events = x, n = n, level = level, method = "clopper_pearson", low = exact[1], high = exact[2]),
      data.frame(events = x, n = n, level = level, method = "wilson", low = wilson[1], high = wilson[2])
    )
  }
}
write(one, "response_proportions.tsv")

# The conditional odds ratio and its bounds, with roots to full precision: fisher.test stops at 1e-4.
conditional <- function(m, level) {
  x <- m[1, 1]
  support <- max(0, sum(m[, 1]) - sum(m[2, ])):min(sum(m[1, ]), sum(m[, 1]))
  dens <- dhyper(support, sum(m[1, ]), sum(m[2, ]), sum(m[, 1]), log = TRUE)
  prob <- function(beta) {
    d <- exp(dens + beta * support - max(dens + beta * support))
    d / sum(d)
  }
  root <- function(f) exp(uniroot(f, c(-30, 30), tol = 1e-14)$root)
  alpha <- (1 - level) / 2
  lowest <- x == min(support)
  highest <- x == max(support)
  c(
    if (lowest) 0 else if (highest) Inf else root(function(b) sum(support * prob(b)) - x),
    if (lowest) 0 else root(function(b) sum(prob(b)[support >= x]) - alpha),
    if (highest) Inf else root(function(b) sum(prob(b)[support <= x]) - alpha)
  )
}

# Two proportions: events and size of the group, then of the reference. PERFORM's 1/9 against 8/9 comes first.
tables <- rbind(
  c(1, 9, 8, 9), c(16, 20, 15, 20), c(0, 20, 13, 20), c(3, 20, 0, 20), c(5, 5, 0, 7), c(4, 9, 5, 9), c(56, 70, 48, 80),
  c(1, 30, 4, 31), c(40, 100, 22, 97), c(1, 3, 2, 5)
)
two <- data.frame()
for (i in seq_len(nrow(tables))) {
  t <- tables[i, ]
  m <- matrix(c(t[1], t[2] - t[1], t[3], t[4] - t[3]), 2, byrow = TRUE)
  for (level in c(0.95, 0.9)) {
    fisher <- fisher.test(m, conf.level = level)
    ratio <- conditional(m, level)
    plain <- suppressWarnings(chisq.test(m, correct = FALSE))
    yates <- suppressWarnings(chisq.test(m, correct = TRUE))
    p <- c(t[1] / t[2], t[3] / t[4])
    a <- suppressWarnings(prop.test(t[1], t[2], correct = FALSE, conf.level = level))$conf.int
    b <- suppressWarnings(prop.test(t[3], t[4], correct = FALSE, conf.level = level))$conf.int
    d <- p[1] - p[2]
    two <- rbind(two, data.frame(
      events = t[1], n = t[2], events_reference = t[3], n_reference = t[4], level = level,
      difference = d, # Newcombe's method 10 from R's Wilson bounds
      difference_low = d - sqrt((p[1] - a[1])^2 + (b[2] - p[2])^2),
      difference_high = d + sqrt((a[2] - p[1])^2 + (p[2] - b[1])^2),
      odds_ratio = ratio[1], odds_ratio_low = ratio[2], odds_ratio_high = ratio[3],
      r_odds_ratio = fisher$estimate, r_odds_ratio_low = fisher$conf.int[1], r_odds_ratio_high = fisher$conf.int[2],
      fisher_exact = fisher$p.value, chi2_statistic = plain$statistic, chi2 = plain$p.value,
      chi2_yates_statistic = yates$statistic, chi2_yates = yates$p.value
    ))
  }
}
write(two, "response_differences.tsv")
