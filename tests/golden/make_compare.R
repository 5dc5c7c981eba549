# Golden values of microbiome/compare and microbiome/stats/mixed.py: `Rscript make_compare.R` in this folder. Three data
# sets of rates are drawn here and written out, then analysed by lme4, nlme and base R.
# Written with R 4.2.2, lme4 1.1-31, lmerTest 3.1-3, nlme 3.1-162.
suppressMessages({
  library(lme4)
  library(lmerTest)
  library(nlme)
})
set.seed(20260301)
write_tsv <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) format(x, digits = 17, trim = TRUE))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}

# Rates of samples: k of n baseline taxa lost, on the logit scale group + donor + subject + sample.
simulate <- function(set, subjects, days, donors, share_yes, sd_donor, sd_subject, missing) {
  subject <- sprintf("%s%02d", set, seq_len(subjects))
  donor <- sample(rep_len(sprintf("%sD%02d", set, seq_len(donors)), subjects))
  yes <- sample(seq_len(subjects) <= round(share_yes * subjects))
  age <- round(rnorm(subjects, 60, 9))
  richness <- round(exp(rnorm(subjects, log(160), 0.25)))
  baseline_limit <- exp(rnorm(subjects, log(2e-5), 0.4))
  baseline_day <- -sample(0:6, subjects, replace = TRUE)
  level <- rnorm(donors, 0, sd_donor)[match(donor, sprintf("%sD%02d", set, seq_len(donors)))] +
    rnorm(subjects, 0, sd_subject) + 0.3 * yes + 0.01 * (age - 60)
  rows <- expand.grid(visit = seq_along(days), who = seq_len(subjects))
  rows <- rows[rows$visit == 1 | runif(nrow(rows)) >= missing, ]
  who <- rows$who
  day <- days[rows$visit] + sample(-1:1, nrow(rows), replace = TRUE)
  post_limit <- exp(rnorm(nrow(rows), log(2e-5), 0.5))
  eta <- -1.2 + level[who] + 0.25 * log(day / 28) + 0.2 * log(post_limit / 2e-5) + rnorm(nrow(rows), 0, 0.3)
  lost <- rbinom(nrow(rows), richness[who], plogis(eta))
  data.frame(
    set = set, subject = subject[who], sample = sprintf("%s-%d", subject[who], rows$visit), day = day,
    responder = ifelse(yes, "yes", "no")[who], donor = donor[who], age = age[who], baseline_day = baseline_day[who],
    baseline_taxa = richness[who], lost_taxa = lost, depletion_rate = lost / richness[who],
    baseline_limit = baseline_limit[who], post_limit = post_limit
  )
}
data <- rbind(
  simulate("A", 10, c(7, 28, 56, 84), 2, 0.5, 0.4, 0.5, 0),
  simulate("B", 30, c(14, 42, 90), 12, 0.4, 0.5, 0.4, 0.2),
  simulate("C", 24, c(7, 35), 4, 0.6, 0.2, 0.6, 0.25)
)
write_tsv(data, "compare_data.tsv")

data$y <- with(data, log((lost_taxa + 0.5) / (baseline_taxa - lost_taxa + 0.5)))
data$lag <- data$day - data$baseline_day
data$yes <- as.numeric(data$responder == "yes")
fixed <- "yes + log(post_limit) + log(baseline_limit) + log(baseline_taxa) + log(lag)"
models <- list(
  c(model = "subject", fixed = fixed, random = "(1 | subject)"),
  c(model = "donor_random", fixed = fixed, random = "(1 | donor) + (1 | subject)"),
  c(model = "donor_fixed", fixed = paste(fixed, "+ donor"), random = "(1 | subject)"),
  c(model = "age", fixed = paste(fixed, "+ age"), random = "(1 | subject)"),
  c(model = "plain", fixed = "yes", random = "(1 | donor) + (1 | subject)")
)
control <- lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e6, rhobeg = 0.1, rhoend = 1e-10))
results <- NULL
for (set in unique(data$set)) {
  own <- data[data$set == set, ]
  for (one in models) {
    formula <- as.formula(paste("y ~", one["fixed"], "+", one["random"]))
    fit <- suppressMessages(lmer(formula, own, REML = TRUE, control = control))
    group <- summary(fit)$coefficients["yes", ]
    variance <- as.data.frame(VarCorr(fit))
    of <- function(name) if (name %in% variance$grp) variance$vcov[variance$grp == name] else 0
    nested <- grepl("donor", one["random"])
    freedom <- lme(
      as.formula(paste("y ~", one["fixed"])), own,
      random = if (nested) ~ 1 | donor / subject else ~ 1 | subject,
      control = lmeControl(opt = "optim", returnObject = TRUE, maxIter = 200, msMaxIter = 200)
    )$fixDF$X["yes"]
    results <- rbind(results, data.frame(
      set = set, model = one["model"], estimate = group["Estimate"], se = group["Std. Error"],
      satterthwaite_df = group["df"], containment_df = freedom,
      p_value = 2 * pt(-abs(group["t value"]), freedom), log_likelihood = as.numeric(logLik(fit)),
      subject_variance = of("subject"), donor_variance = of("donor"), residual_variance = of("Residual")
    ))
  }
}
write_tsv(results, "compare_mixed.tsv")

# One value per subject: its mean over the visits (all samples of the sets, each of them a visit of its own).
first <- !duplicated(data$subject)
means <- data.frame(data[first, c("set", "subject", "responder", "donor", "age")])
means$value <- tapply(data$depletion_rate, data$subject, mean)[means$subject]
results <- NULL
for (set in unique(data$set)) {
  own <- means[means$set == set, ]
  no <- own$value[own$responder == "no"]
  yes <- own$value[own$responder == "yes"]
  welch <- t.test(yes, no)
  ranks <- wilcox.test(yes, no, conf.int = TRUE)
  adjusted <- lm(value ~ responder + age, own)
  within <- lm(value ~ responder + donor, own)
  exact <- NA
  if (nrow(own) <= 12) {
    observed <- abs(mean(yes) - mean(no))
    sums <- combn(own$value, length(yes), function(x) {
      abs(mean(x) - (sum(own$value) - sum(x)) / length(no))
    })
    exact <- mean(sums >= observed - 1e-12)
  }
  pooled <- data[data$set == set, ]
  all <- wilcox.test(
    pooled$depletion_rate[pooled$responder == "yes"], pooled$depletion_rate[pooled$responder == "no"], conf.int = TRUE
  )
  results <- rbind(results, data.frame(
    set = set, mean_no = mean(no), mean_yes = mean(yes), welch_low = welch$conf.int[1], welch_high = welch$conf.int[2],
    shift = ranks$estimate, shift_low = ranks$conf.int[1], shift_high = ranks$conf.int[2], exact_p = exact,
    age_effect = coef(adjusted)["responderyes"], age_low = confint(adjusted)["responderyes", 1],
    age_high = confint(adjusted)["responderyes", 2],
    donor_effect = coef(within)["responderyes"], donor_low = confint(within)["responderyes", 1],
    donor_high = confint(within)["responderyes", 2],
    pooled_shift = all$estimate, pooled_p = all$p.value
  ))
}
write_tsv(results, "compare_subjects.tsv")
