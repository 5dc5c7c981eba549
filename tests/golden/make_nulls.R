# Golden values of microbiome/nulls: `Rscript make_nulls.R` in this folder. The trial is drawn here and written out.
# Written with R 4.2.2. Every definition is written out by loops over subjects, samples and all permutations.
write <- function(frame, name) {
  numbers <- sapply(frame, is.double)
  frame[numbers] <- lapply(frame[numbers], function(x) sub("NaN|NA", "", sprintf("%.17g", x)))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# Six treated by three donors (two each, one of whom gets a second donor's product on day 40), four placebo, two visits.
set.seed(11)
taxa <- sprintf("t__SGB%d", 1:30)
donors <- c("DA", "DB", "DC")
treated <- sprintf("R%d", 1:6)
placebo <- sprintf("P%d", 1:4)
days <- c(28, 60)
prevalence <- runif(30, 0.1, 0.8)
carries <- function() as.numeric(runif(30) < prevalence)
product <- sapply(donors, function(d) carries())
doses <- data.frame(
  subject = c(treated, "R6"), day = c(0, 0, 0, 0, 0, 0, 40), donor = c("DA", "DA", "DB", "DB", "DC", "DC", "DA")
)
doses$donor_sample <- paste0(doses$donor, ".1")
before <- list()
after <- list()
for (s in c(treated, placebo)) {
  before[[s]] <- carries()
  for (day in days) {
    now <- before[[s]] * (runif(30) < 0.75) + (1 - before[[s]]) * (runif(30) < 0.1)
    for (i in which(doses$subject == s & doses$day <= day)) {
      now <- pmax(now, product[, doses$donor[i]] * (runif(30) < 0.35))
    }
    after[[paste(s, day)]] <- as.numeric(now > 0)
  }
}
people <- c(treated, placebo)
samples <- rbind(
  data.frame(sample = paste0(donors, ".1"), subject = donors, role = "donor", day = NA),
  data.frame(sample = paste0(people, ".0"), subject = people, role = "recipient", day = 0),
  data.frame(
    sample = paste(rep(people, each = 2), days, sep = "."), subject = rep(people, each = 2), role = "recipient",
    day = days
  )
)
profile <- cbind(
  product, do.call(cbind, before[people]), sapply(paste(rep(people, each = 2), days), function(key) after[[key]])
)
colnames(profile) <- samples$sample
profile <- profile * matrix(sample(1:9, length(profile), TRUE), nrow(profile))
write(data.frame(taxon = taxa, profile, check.names = FALSE), "nulls_profile.tsv")
samples$day <- as.integer(samples$day)
write(samples, "nulls_samples.tsv")
doses$day <- as.integer(doses$day)
write(doses, "nulls_doses.tsv")
write(
  data.frame(subject = c(donors, people), arm = rep(c("", "fmt", "placebo"), c(3, 6, 4))), "nulls_subjects.tsv"
)

# The donor set that the schedule of subject j gives on a day.
set_of <- function(j, day) {
  own <- doses$donor[doses$subject == j & doses$day <= day]
  as.numeric(rowSums(product[, own, drop = FALSE]) > 0)
}
rate <- function(name, d, b, r) {
  switch(name,
    engraftment_rate = sum(d * (1 - b) * r) / sum(d * (1 - b)),
    donor_recovery = sum(d * r) / sum(d),
    depletion_rate = sum(b * (1 - r)) / sum(b),
    depletion_rate_donor_absent = sum(b * (1 - d) * (1 - r)) / sum(b * (1 - d))
  )
}
mean_rate <- function(name, i, j) {
  mean(sapply(days, function(day) rate(name, set_of(j, day), before[[i]], after[[paste(i, day)]])))
}
permutations <- function(n) {
  if (n == 1) return(matrix(1))
  smaller <- permutations(n - 1)
  do.call(rbind, lapply(1:n, function(k) cbind(k, smaller + (smaller >= k))))
}
all_orders <- permutations(6)

rows <- data.frame()
add <- function(quantity, null, level, subject = "", taxon = "", observed, expected, low = NA, high = NA, p = NA) {
  rows <<- rbind(rows, data.frame(
    quantity = quantity, null = null, level = level, subject = subject, taxon = taxon, observed = observed,
    expected = expected, ci_low = low, ci_high = high, p_value = p
  ))
}
donors_of <- sapply(treated, function(s) paste(unique(doses$donor[doses$subject == s]), collapse = " "))
for (name in c("engraftment_rate", "donor_recovery")) {
  m <- sapply(treated, function(j) sapply(treated, function(i) mean_rate(name, i, j)))
  other <- outer(donors_of, donors_of, "!=")
  expected <- sapply(1:6, function(i) mean(m[i, other[i, ]]))
  t_all <- apply(all_orders, 1, function(order) mean(m[cbind(1:6, order)]))
  f_all <- apply(all_orders, 1, function(order) mean(!other[cbind(1:6, order)]))
  t_own <- mean(diag(m))
  end <- (t_own - t_all) / (1 - f_all)
  rejected <- floor(0.025 * length(end))
  low <- sort(ifelse(f_all == 1, -Inf, end))[rejected + 1]
  high <- sort(ifelse(f_all == 1, Inf, end), decreasing = TRUE)[rejected + 1]
  spread <- t.test(diag(m) - expected)$conf.int
  add(name, "donor_permutation", "overall",
    observed = t_own, expected = mean(expected), low = min(low, spread[1]), high = max(high, spread[2]),
    p = mean(t_all >= t_own - 1e-12)
  )
  for (i in 1:6) {
    add(name, "donor_permutation", "subject",
      subject = treated[i], observed = m[i, i], expected = expected[i], p = mean(m[i, ] >= m[i, i] - 1e-12)
    )
  }
}
# Per taxon: weights 1/2 for each visit.
for (t in seq_along(taxa)) {
  top <- sapply(treated, function(j) sapply(treated, function(i) {
    mean(sapply(days, function(day) after[[paste(i, day)]][t] * (1 - before[[i]][t]) * set_of(j, day)[t]))
  }))
  bottom <- sapply(treated, function(j) sapply(treated, function(i) {
    mean(sapply(days, function(day) (1 - before[[i]][t]) * set_of(j, day)[t]))
  }))
  t_all <- apply(all_orders, 1, function(order) sum(top[cbind(1:6, order)]) / sum(bottom[cbind(1:6, order)]))
  t_own <- sum(diag(top)) / sum(diag(bottom))
  whole <- sapply(treated, function(i) mean(sapply(days, function(day) after[[paste(i, day)]][t] * (1 - before[[i]][t]))))
  lacking <- sapply(treated, function(i) 1 - before[[i]][t])
  defined <- t_all[!is.nan(t_all)]
  testable <- !is.nan(t_own) && diff(range(defined)) > 1e-9
  add("engraftment_rate", "donor_permutation", "taxon",
    taxon = taxa[t], observed = t_own, expected = (sum(whole) - sum(diag(top))) / (sum(lacking) - sum(diag(bottom))),
    p = if (testable) mean(defined >= t_own - 1e-9) else NA
  )
}
# Against placebo, with every schedule of the treated as pseudo-donors; all choices of six of ten subjects.
choices <- combn(10, 6)
difference <- function(x, chosen) mean(x[chosen]) - mean(x[setdiff(seq_along(x), chosen)])
for (name in c("engraftment_rate", "donor_recovery", "depletion_rate", "depletion_rate_donor_absent")) {
  x <- sapply(treated, function(i) mean_rate(name, i, i))
  y <- sapply(placebo, function(i) mean(sapply(treated, function(j) mean_rate(name, i, j))))
  both <- c(x, y)
  d <- apply(choices, 2, function(chosen) difference(both, chosen))
  welch <- t.test(x, y)$conf.int
  add(name, "placebo_arm", "overall",
    observed = mean(x), expected = mean(y), low = welch[1], high = welch[2],
    p = mean(abs(d) >= abs(mean(x) - mean(y)) - 1e-12)
  )
  for (i in 1:6) {
    add(name, "placebo_arm", "subject",
      subject = treated[i], observed = x[i], expected = mean(y), p = (1 + sum(y >= x[i] - 1e-12)) / 5
    )
  }
}
# Loss of each taxon among those who had it.
for (t in seq_along(taxa)) {
  had <- people[sapply(people, function(s) before[[s]][t] > 0)]
  loss <- sapply(had, function(s) mean(sapply(days, function(day) 1 - after[[paste(s, day)]][t])))
  is_treated <- had %in% treated
  p <- NA
  if (length(had) > 1 && any(is_treated) && any(!is_treated) && diff(range(loss)) > 0) {
    d <- combn(length(had), sum(is_treated), function(chosen) difference(loss, chosen))
    p <- mean(abs(d) >= abs(mean(loss[is_treated]) - mean(loss[!is_treated])) - 1e-9)
  }
  add("depletion_rate", "placebo_arm", "taxon",
    taxon = taxa[t], observed = if (any(is_treated)) mean(loss[is_treated]) else NA,
    expected = if (any(!is_treated)) mean(loss[!is_treated]) else NA, p = p
  )
}
write(rows, "nulls_expected.tsv")
