# Golden values of microbiome/clinical (Kaplan-Meier, log-rank, Cox): `Rscript survival.R [DS1 DS2]` in this folder.
# The data are drawn here and written out. With the two files of TOPOSCORE (see test_clinical_cox.py) also the values of
# that cohort, of which only the results are written. Written with R 4.2.2, survival 3.5-3.
suppressMessages(library(survival))

write <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) gsub("^NA$|^NaN$|^-?Inf$", "", sprintf("%.15g", x)))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}
row <- function(data, what, value, part = "", time = NA, low = NA, high = NA, statistic = NA, df = NA, p = NA) {
  data.frame(data, what, part, time, value, low, high, statistic, df, p)
}

# Kaplan-Meier: curves, medians, survival at times, restricted mean, reverse Kaplan-Meier.
curve_rows <- function(data, name, interval) {
  fit <- survfit(Surv(time, event) ~ 1, data, conf.type = interval)
  data.frame(data = name, interval, day = fit$time, at_risk = fit$n.risk, events = fit$n.event,
    censored = fit$n.censor, survival = fit$surv, ci_low = fit$lower, ci_high = fit$upper)
}
km_rows <- function(data, name, times, until) {
  found <- data.frame()
  for (interval in c("log-log", "log", "plain")) {
    fit <- survfit(Surv(time, event) ~ 1, data, conf.type = interval)
    for (share in c(0.25, 0.5)) {
      q <- quantile(fit, share)
      found <- rbind(found, row(name, "quantile", q$quantile, interval, share, q$lower, q$upper))
    }
    at <- summary(fit, times = times)
    found <- rbind(found, row(name, "survival", at$surv, interval, at$time, at$lower, at$upper))
    found <- rbind(found, row(name, "at_risk", at$n.risk, interval, at$time))
  }
  fit <- survfit(Surv(time, event) ~ 1, data)
  mean <- summary(fit, rmean = until)$table
  found <- rbind(found, row(name, "rmean", mean[["rmean"]], time = until, statistic = mean[["se(rmean)"]]))
  reverse <- survfit(Surv(time, 1 - event) ~ 1, data, conf.type = "log-log")
  q <- quantile(reverse, 0.5)
  rbind(found, row(name, "follow_up", q$quantile, "log-log", 0.5, q$lower, q$upper))
}

# Log-rank.
rank_row <- function(name, fit, part) {
  df <- sum(rowSums(as.matrix(fit$exp)) > 0) - 1
  row(name, "survdiff", NA, part, statistic = fit$chisq, df = df, p = pchisq(fit$chisq, df, lower.tail = FALSE))
}

# Cox: coefficients, Wald, likelihood ratio of each term, profile likelihood, cox.zph, concordance.
profile_bound <- function(data, full, others, x, side, ties) {
  best <- full$loglik[length(full$loglik)]
  beta <- coef(full)[[x]]
  fall <- function(b) {
    data$shift <- b * data[[x]]
    terms <- paste(c(others, "offset(shift)"), collapse = " + ")
    fit <- coxph(as.formula(paste("Surv(time, event) ~", terms)), data, ties = ties)
    2 * (best - fit$loglik[length(fit$loglik)]) - qchisq(0.95, 1)
  }
  step <- side * 8 * sqrt(full$var[1, 1])
  uniroot(fall, sort(c(beta, beta + step)), tol = 1e-11)$root
}
cox_rows <- function(data, name, terms, ties, numbers = c(), part = ties) {
  formula <- as.formula(paste("Surv(time, event) ~", paste(terms, collapse = " + ")))
  fit <- coxph(formula, data, ties = ties)
  table <- summary(fit)$coefficients
  found <- row(name, "coef", table[, "coef"], paste(part, rownames(table)), statistic = table[, "se(coef)"],
    p = table[, "Pr(>|z|)"])
  for (term in terms) {
    if (startsWith(term, "strata")) next
    if (length(terms) > 1) {
      less <- coxph(update(formula, paste(". ~ . -", term)), data, ties = ties)
      ratio <- 2 * (fit$loglik[2] - less$loglik[length(less$loglik)])
      df <- length(coef(fit)) - length(coef(less))
    } else {
      ratio <- 2 * diff(fit$loglik)
      df <- length(coef(fit))
    }
    found <- rbind(found, row(name, "lr", NA, paste(part, term), statistic = ratio, df = df,
      p = pchisq(ratio, df, lower.tail = FALSE)))
  }
  zph <- cox.zph(fit)$table
  found <- rbind(found, row(name, "zph", NA, paste(part, rownames(zph)), statistic = zph[, "chisq"],
    df = zph[, "df"], p = zph[, "p"]))
  harrell <- concordance(fit)
  found <- rbind(found, row(name, "concordance", harrell$concordance, part, statistic = sqrt(harrell$var)))
  found <- rbind(found, row(name, "loglik", fit$loglik[2], part, statistic = 2 * diff(fit$loglik)))
  for (x in numbers) {
    bounds <- sapply(c(-1, 1), function(side) profile_bound(data, fit, setdiff(terms, x), x, side, ties))
    found <- rbind(found, row(name, "profile", coef(fit)[[x]], paste(part, x), low = bounds[1], high = bounds[2]))
  }
  found
}

if (length(commandArgs(TRUE)) == 0) {
  set.seed(11)
  draw <- function(name, n, tied) {
    x <- round(rnorm(n), 2)
    z <- round(runif(n, 40, 80))
    group <- sample(c("a", "b", "c"), n, TRUE, c(0.4, 0.35, 0.25))
    site <- sample(c("s1", "s2"), n, TRUE)
    event_time <- rexp(n, 0.004 * exp(0.6 * x + 0.5 * (group == "c") - 0.01 * (z - 60)))
    end <- runif(n, 100, 700)
    time <- pmax(1, round(pmin(event_time, end) / tied) * tied)
    data.frame(data = name, subject = paste0(name, seq_len(n)), time, event = as.integer(event_time <= end), x, z,
      group, site)
  }
  data <- rbind(draw("tied", 90, 20), draw("fine", 60, 0.01), draw("small", 14, 10))
  write(data, "survival_data.tsv")
  curves <- values <- data.frame()
  for (name in unique(data$data)) {
    one <- data[data$data == name, ]
    for (interval in c("log-log", "log", "plain")) curves <- rbind(curves, curve_rows(one, name, interval))
    values <- rbind(values, km_rows(one, name, c(60, 100, 180, 365), 300))
    values <- rbind(values, rank_row(name, survdiff(Surv(time, event) ~ group, one), "group"))
    values <- rbind(values, rank_row(name, survdiff(Surv(time, event) ~ group + strata(site), one), "group | site"))
    values <- rbind(values, rank_row(name, survdiff(Surv(time, event) ~ site, one), "site"))
    for (ties in c("efron", "breslow")) {
      values <- rbind(values, cox_rows(one, name, "x", ties, "x", paste(ties, "alone")))
      if (name != "small") {
        values <- rbind(values, cox_rows(one, name, c("x", "z", "group"), ties, c("x", "z")))
        values <- rbind(values, cox_rows(one, name, c("x", "group", "strata(site)"), ties, "x",
          paste(ties, "strata")))
      }
    }
  }
  write(curves, "survival_curves.tsv")
  write(values, "survival_values.tsv")
} else {
  files <- commandArgs(TRUE)
  clinical <- read.csv(files[1], na.strings = c("NA", "NaN", ""))
  clinical <- clinical[!is.na(clinical$IDMGP), ]
  clinical$time <- clinical$OS
  clinical$event <- clinical$Death
  clinical <- clinical[!is.na(clinical$time) & !is.na(clinical$event), ]
  profile <- read.csv(files[2], check.names = FALSE, row.names = 1)
  clinical$akkermansia <- profile[clinical$IDMGP, "Akkermansia_muciniphila"] / 100
  clinical$faecalibacterium <- profile[clinical$IDMGP, "Faecalibacterium_prausnitzii"] / 100
  clinical$cohort <- clinical$Cohort
  clinical$x <- clinical$faecalibacterium
  values <- row("toposcore", "n", nrow(clinical))
  values <- rbind(values, row("toposcore", "events", sum(clinical$event)))
  values <- rbind(values, km_rows(clinical, "toposcore", c(6, 12, 24), 24))
  values <- rbind(values, rank_row("toposcore", survdiff(Surv(time, event) ~ AKK_TRICHO, clinical), "AKK_TRICHO"))
  values <- rbind(values, rank_row("toposcore",
    survdiff(Surv(time, event) ~ AKK_TRICHO + strata(Cohort), clinical), "AKK_TRICHO | Cohort"))
  values <- rbind(values, cox_rows(clinical, "toposcore", "x", "efron", "x", "alone"))
  whole <- clinical[!is.na(clinical$Age) & !is.na(clinical$Gender), ]
  values <- rbind(values, row("toposcore", "n adjusted", nrow(whole)))
  values <- rbind(values, cox_rows(whole, "toposcore", c("x", "Age", "Gender"), "efron", "x", "adjusted"))
  values <- rbind(values, cox_rows(clinical, "toposcore", "AKK_TRICHO", "efron", part = "groups"))
  write(values, "survival_toposcore.tsv")
}
