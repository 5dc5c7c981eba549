# Random-intercept estimates of donors: lme4. Run: Rscript tests/golden/make_donors.R > tests/golden/donors_blup.tsv
suppressPackageStartupMessages(library(lme4))
cases <- list(
  spread = list(sizes = c(5, 3, 1, 7, 4), means = c(0.3, 0.55, 0.5, 0.2, 0.42), sd = 0.08, seed = 1),
  little = list(sizes = c(4, 4, 6), means = c(0.35, 0.4, 0.42), sd = 0.1, seed = 2),
  two = list(sizes = c(5, 5), means = c(0.25, 0.6), sd = 0.1, seed = 3),
  none = list(sizes = c(6, 6, 6, 2), means = c(0.4, 0.4, 0.4, 0.4), sd = 0.15, seed = 6)
)
cat(sprintf("# R %s, lme4 %s\n", getRversion(), packageVersion("lme4")))
cat("case\tdonor\tvalue\tfixed\ttau\tsigma\tblup\n")
for (name in names(cases)) {
  case <- cases[[name]]
  set.seed(case$seed)
  donor <- rep(sprintf("d%d", seq_along(case$sizes)), case$sizes)
  value <- round(pmin(pmax(rnorm(length(donor), rep(case$means, case$sizes), case$sd), 0.01), 0.99), 4)
  fit <- suppressMessages(lmer(value ~ 1 + (1 | donor), control = lmerControl(optCtrl = list(rhobeg = 0.02, maxfun = 1e5))))
  spread <- as.data.frame(VarCorr(fit))$sdcor
  blup <- coef(fit)$donor[donor, 1]
  cat(sprintf("%s\t%s\t%.4f\t%.10f\t%.10f\t%.10f\t%.10f\n", name, donor, value, fixef(fit), spread[1], spread[2], blup), sep = "")
}
