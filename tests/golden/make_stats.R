# Golden values of microbiome/stats: `Rscript make_stats.R` in this folder. The data are drawn here and written out.
# Written with R 4.2.2, boot 1.3-28.1, effsize 0.8.0 (github.com/mtorchiano/effsize, commit 03025ad).
suppressMessages({
  library(boot)
  library(effsize)
})

write <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) sub("NA", "", sprintf("%.17g", x), fixed = TRUE))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# Data: one value per subject; group a is the first, b the second.
set.seed(3)
draw <- function(dataset, a, b) {
  n <- length(a) + length(b)
  data.frame(
    dataset = dataset, subject = seq_len(n), group = rep(c("a", "b"), c(length(a), length(b))),
    stratum = paste0("s", rep_len(c(1, 1, 2, 1, 2, 2, 3), n)), value = c(a, b)
  )
}
data <- rbind(
  draw("depletion", round(rbeta(6, 6, 14), 4), round(rbeta(4, 9, 11), 4)), # 210 arrangements, no ties
  draw("rare", c(0, 0, round(rbeta(6, 0.6, 12), 2)), c(0, round(rbeta(6, 0.8, 9), 2))), # skewed, zeros
  draw("counts", rpois(8, 12), rpois(6, 15)), # whole numbers, many ties
  draw("apart", c(0.11, 0.17, 0.23, 0.31, 0.12), c(0.42, 0.55, 0.47, 0.61)), # no overlap
  draw("zeros", c(rep(0, 15), round(rbeta(9, 1, 8), 4)), c(rep(0, 5), round(rbeta(17, 1, 5), 4))), # half of them 0
  draw("large", rlnorm(60, 1, 0.5), rlnorm(52, 1.2, 0.7)) # 50 and more in each: the normal approximation
)
write(data, "stats_data.tsv")
value <- function(name, group) data$value[data$dataset == name & data$group == group]
datasets <- unique(data$dataset)

# Intervals of one mean: the logit of the mean with a quasi-binomial standard error, t, bootstrap.
means <- data.frame()
for (name in datasets) {
  for (group in c("a", "b")) {
    x <- value(name, group)
    found <- list(t = t.test(x)$conf.int)
    if (all(x <= 1)) {
      fit <- summary(glm(x ~ 1, family = quasibinomial, control = list(epsilon = 1e-14)))$coefficients
      found$logit_t <- plogis(fit[1] + c(-1, 1) * qt(0.975, length(x) - 1) * fit[2])
    }
    ci <- boot.ci(boot(x, function(d, i) mean(d[i]), R = 99999), type = c("perc", "bca"))
    found$percentile <- ci$percent[4:5]
    found$bca <- ci$bca[4:5]
    for (method in names(found)) {
      means <- rbind(means, data.frame(
        dataset = name, group = group, method = method, estimate = mean(x), low = found[[method]][1],
        high = found[[method]][2]
      ))
    }
  }
}
write(means, "stats_means.tsv")

# Two groups, b against a. The ratio: quasi-likelihood on the log scale within each group, degrees of freedom by Welch.
groups <- data.frame()
add <- function(dataset, method, level, estimate, bounds, p = NA) {
  groups <<- rbind(groups, data.frame(
    dataset = dataset, method = method, level = level, estimate = as.numeric(estimate), low = bounds[1],
    high = bounds[2], p_value = p
  ))
}
log_mean <- function(x) {
  fit <- glm(x ~ 1, family = quasi(link = "log", variance = "mu^2"), start = log(mean(x)), control = list(epsilon = 1e-14))
  summary(fit)$coefficients
}
for (name in datasets) {
  for (level in c(0.95, 0.8)) {
    a <- value(name, "a")
    b <- value(name, "b")
    welch <- t.test(b, a, conf.level = level)
    add(name, "welch", level, mean(b) - mean(a), welch$conf.int, welch$p.value)
    one <- log_mean(a)
    two <- log_mean(b)
    v <- c(one[2], two[2])^2
    df <- sum(v)^2 / sum(v^2 / (c(length(a), length(b)) - 1))
    add(name, "log_welch", level, mean(b) / mean(a), exp(two[1] - one[1] + c(-1, 1) * qt((1 + level) / 2, df) * sqrt(sum(v))))
    wilcox <- suppressWarnings(wilcox.test(b, a, conf.int = TRUE, conf.level = level, tol.root = 1e-10))
    exact <- !grepl("continuity", wilcox$method)
    add(name, if (exact) "wilcoxon_exact" else "wilcoxon_normal", level, wilcox$estimate, wilcox$conf.int, wilcox$p.value)
    cliff <- suppressWarnings(cliff.delta(b, a, conf.level = level, use.unbiased = FALSE))
    add(name, "feng_cliff", level, cliff$estimate, cliff$conf.int)
  }
}
write(groups, "stats_groups.tsv")

# Permutation tests over all arrangements.
exact <- data.frame()
note <- function(dataset, test, alternative, statistic, all, tolerance = 1e-9) {
  extreme <- switch(alternative,
    "two-sided" = abs(all) >= abs(statistic) - tolerance,
    greater = all >= statistic - tolerance,
    less = all <= statistic + tolerance
  )
  exact <<- rbind(exact, data.frame(
    dataset = dataset, test = test, alternative = alternative, statistic = statistic, p_value = mean(extreme),
    arrangements = length(all)
  ))
}
for (name in setdiff(datasets, c("zeros", "large"))) {
  set <- data[data$dataset == name, ]
  b <- set$group == "b"
  n <- nrow(set)
  difference <- function(chosen) mean(set$value[chosen]) - mean(set$value[-chosen])
  all <- combn(n, sum(b), difference)
  for (alternative in c("two-sided", "greater", "less")) note(name, "groups", alternative, difference(which(b)), all)

  # Within strata: the coefficient of the label beside the strata, in every arrangement.
  strata <- split(seq_len(n), set$stratum)
  choices <- lapply(strata, function(members) {
    lapply(combn(length(members), sum(b[members]), simplify = FALSE), function(i) members[i])
  })
  rows <- expand.grid(lapply(choices, seq_along))
  adjusted <- function(label) unname(coef(lm(set$value ~ set$stratum + label))["label"])
  all <- apply(rows, 1, function(row) {
    label <- numeric(n)
    label[unlist(Map(function(choice, k) choice[[k]], choices, row))] <- 1
    adjusted(label)
  })
  for (alternative in c("two-sided", "greater", "less")) note(name, "strata", alternative, adjusted(as.numeric(b)), all)

  # One group: every sign of what is left when the median of both is taken away.
  x <- set$value[!b] - median(set$value)
  flips <- as.matrix(expand.grid(rep(list(c(-1, 1)), length(x))))
  note(name, "signs", "two-sided", mean(x), as.vector(flips %*% abs(x)) / length(x))
}
# Three groups of 3, 3 and 2.
set <- data[data$dataset == "rare", ][1:8, ]
three <- c(0, 0, 0, 1, 1, 1, 2, 2)
between <- function(label) anova(lm(set$value ~ factor(label)))[1, "Sum Sq"]
all <- unlist(combn(8, 3, function(zero) {
  combn(setdiff(1:8, zero), 3, function(one) {
    label <- rep(2, 8)
    label[zero] <- 0
    label[one] <- 1
    between(label)
  })
}, simplify = FALSE))
note("rare", "three", "two-sided", between(three), all, 1e-12)
write(exact, "stats_exact.tsv")

# Proportions: Clopper-Pearson, and Wilson's interval without correction.
counts <- data.frame(
  successes = c(16, 15, 19, 13, 3, 0, 9, 12, 18, 1, 0, 1, 250), n = c(20, 20, 20, 20, 20, 20, 18, 18, 18, 9, 1, 1, 1000)
)
proportions <- do.call(rbind, Map(function(k, n) {
  exact <- binom.test(k, n)$conf.int
  wilson <- suppressWarnings(prop.test(k, n, correct = FALSE))$conf.int
  data.frame(
    successes = k, n = n, method = c("clopper_pearson", "wilson"), low = c(exact[1], wilson[1]),
    high = c(exact[2], wilson[2])
  )
}, counts$successes, counts$n))
write(proportions, "stats_proportions.tsv")

# Benjamini-Hochberg, with ties and missing p-values.
p <- c(round(rbeta(30, 0.4, 2), 3), 0.01, 0.01, NA, 1, 0.5, NA, 0)
write(data.frame(p_value = p, q_value = p.adjust(p, "BH")), "stats_bh.tsv")
