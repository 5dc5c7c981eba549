# Golden values of microbiome/taxa: `Rscript make_taxa.R` in this folder. The trial is drawn here and written out.
# Written with R 4.2.2, base packages only.
write <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) sub("NaN|NA", "", sprintf("%.17g", x)))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# Ten subjects, four of them responders, with samples of days 0, 30 and 90; one donor; 40 taxa.
set.seed(11)
taxa <- sprintf("t%02d", 1:40)
subjects <- sprintf("S%02d", 1:10)
response <- c("no", "yes", "no", "no", "yes", "no", "yes", "no", "yes", "no")
days <- c(0, 30, 90)
prevalence <- c(1, 0, rbeta(38, 1.2, 1))
level <- rnorm(40, 0, 2)
donor <- ifelse(runif(40) < prevalence, exp(level + rnorm(40)), 0)
before <- sapply(subjects, function(s) ifelse(runif(40) < prevalence, exp(level + rnorm(40)), 0))
loss <- runif(40, 0, 0.7)
loss_of <- function(j) ifelse(1:40 %in% 6:16, if (response[j] == "yes") 0.95 else 0.03, loss)
counts <- cbind(D1 = donor)
for (j in seq_along(subjects)) {
  counts <- cbind(counts, before[, j])
  for (day in days[-1]) {
    stays <- before[, j] > 0 & runif(40) > loss_of(j)
    comes <- before[, j] == 0 & runif(40) < ifelse(donor > 0, 0.4, 0.05)
    counts <- cbind(counts, ifelse(stays, before[, j], ifelse(comes, exp(level), 0)) * exp(rnorm(40, 0, 0.8)))
  }
}
colnames(counts) <- c("D1", paste0(rep(subjects, each = 3), ".", days))
counts[1, ] <- pmax(counts[1, ], 1) # in everybody, always
counts[2, ] <- 0 # in nobody
profile <- sweep(counts, 2, colSums(counts), "/")
write(data.frame(taxon = taxa, profile, check.names = FALSE), "taxa_profile.tsv")
write(data.frame(subject = subjects, responder = response), "taxa_subjects.tsv")

there <- profile > 0
at <- function(subject, day) paste0(subject, ".", day)

# The permutation test over all arrangements of the labels among those who have a value.
arrangements <- function(values, second) {
  keep <- !is.na(values)
  values <- values[keep]
  second <- second[keep]
  n <- length(values)
  k <- sum(second)
  if (k == 0 || k == n) return(list(p = NA, attainable = NA, arrangements = NA))
  all <- abs(combn(n, k, function(i) mean(values[i]) - mean(values[-i])))
  seen <- abs(mean(values[second]) - mean(values[!second]))
  list(p = mean(all >= seen - 1e-9), attainable = mean(all >= max(all) - 1e-9), arrangements = length(all))
}

# Loss and engraftment: of each subject the share of its visits.
fates <- data.frame()
for (quantity in c("loss", "engraftment", "gain", "arrival")) {
  for (i in seq_along(taxa)) {
    share <- sapply(subjects, function(s) {
      had <- there[i, at(s, 0)]
      risk <- switch(quantity, loss = had, engraftment = !had && donor[i] > 0, gain = !had && donor[i] == 0, arrival = !had)
      if (!risk) return(NA)
      present <- there[i, at(s, days[-1])]
      mean(if (quantity == "loss") !present else present)
    })
    second <- response == "yes"
    test <- arrangements(share, second)
    fates <- rbind(fates, data.frame(
      quantity = quantity, taxon = taxa[i], n_at_risk = sum(!is.na(share)), n_event = sum(share, na.rm = TRUE),
      rate = mean(share, na.rm = TRUE), rate_1 = mean(share[!second], na.rm = TRUE),
      rate_2 = mean(share[second], na.rm = TRUE), p_value = test$p, p_attainable = test$attainable,
      arrangements = test$arrangements, q_value = NA
    ))
  }
  testable <- fates$quantity == quantity & !is.na(fates$p_attainable) & fates$p_attainable < 1
  fates$q_value[testable] <- p.adjust(fates$p_value[testable], "BH")
}
write(fates, "taxa_fates.tsv")

# Change: presence at day 90 (McNemar), abundance over both visits, for everybody and by response.
changes <- data.frame()
for (group in c("all", "no", "yes")) {
  for (i in seq_along(taxa)) {
    inside <- group == "all" | response == group
    had <- there[i, at(subjects, 0)][inside]
    has <- there[i, at(subjects, 90)][inside]
    lost <- sum(had & !has)
    gained <- sum(!had & has)
    ratio <- sapply(subjects, function(s) {
      r <- log2(profile[i, at(s, days[-1])] / profile[i, at(s, 0)])
      mean(r[is.finite(r)])
    })
    own <- ratio[inside & !is.na(ratio)]
    row <- data.frame(
      group = group, taxon = taxa[i], n_lost = lost, n_gained = gained,
      presence_p_value = if (lost + gained > 1) binom.test(gained, lost + gained)$p.value else NA,
      n_both = length(own), log2_change = if (length(own)) mean(own) else NA, low = NA, high = NA, p_value = NA,
      effect = NA, effect_low = NA, effect_high = NA, effect_p_value = NA
    )
    if (length(own) > 1) {
      row[c("low", "high")] <- t.test(own)$conf.int
      flips <- as.matrix(expand.grid(rep(list(c(-1, 1)), length(own)))) %*% abs(own)
      row$p_value <- mean(abs(flips) >= abs(sum(own)) - 1e-9)
    }
    if (group == "yes") {
      a <- ratio[response == "no" & !is.na(ratio)]
      if (length(a) && length(own)) {
        row$effect <- mean(own) - mean(a)
        row$effect_p_value <- arrangements(ratio, response == "yes")$p
      }
      if (length(a) > 1 && length(own) > 1) row[c("effect_low", "effect_high")] <- t.test(own, a)$conf.int
    }
    changes <- rbind(changes, row)
  }
}
write(changes, "taxa_changes.tsv")

# Retention: of each taxon, with the exact interval.
retention <- data.frame()
for (day in days[-1]) {
  for (i in seq_along(taxa)) {
    had <- there[i, at(subjects, 0)]
    if (!any(had)) next
    kept <- sum(had & there[i, at(subjects, day)])
    ci <- binom.test(kept, sum(had))$conf.int
    retention <- rbind(retention, data.frame(
      day = day, taxon = taxa[i], kept = kept, had = sum(had), low = ci[1], high = ci[2]
    ))
  }
}
write(retention, "taxa_retention.tsv")

# Values 0 and 1 of many subjects: the number of ones in the second group is hypergeometric.
ones <- data.frame(n_1 = c(600, 40, 25, 500, 8), n_2 = c(400, 30, 25, 480, 3), x_1 = c(300, 4, 20, 3, 0), x_2 = c(240, 12, 11, 15, 3))
ones$p_value <- mapply(function(n1, n2, x1, x2) {
  x <- 0:(x1 + x2)
  d <- abs(x / n2 - (x1 + x2 - x) / n1)
  sum(dhyper(x, x1 + x2, n1 + n2 - x1 - x2, n2)[d >= abs(x2 / n2 - x1 / n1) - 1e-12])
}, ones$n_1, ones$n_2, ones$x_1, ones$x_2)
ones$fisher <- mapply(function(n1, n2, x1, x2) fisher.test(matrix(c(x1, x2, n1 - x1, n2 - x2), 2))$p.value, ones$n_1, ones$n_2, ones$x_1, ones$x_2)
write(ones, "taxa_ones.tsv")
