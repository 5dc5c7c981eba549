# Golden values of microbiome/associate: `Rscript make_associate.R` in this folder. A made-up study is drawn here and
# written out (associate_subjects.tsv, associate_rows.tsv), then analysed by base R, MASS and nlme
# (associate_expected.tsv). With MICROBIOME_REAL_DATA set to the folder of published data, also selected pairs of
# prism_ibd, gastrectomy_metabolome and toposcore (associate_real.tsv; numbers of tests only, no data).
# Written with R 4.2.2, MASS 7.3-58.2, nlme 3.1-162.
suppressMessages({
  library(MASS)
  library(nlme)
})
set.seed(20261121)
write_tsv <- function(frame, name) {
  numbers <- sapply(frame, is.numeric)
  frame[numbers] <- lapply(frame[numbers], function(x) format(x, digits = 17, trim = TRUE))
  write.table(frame, name, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}
found <- data.frame()
add <- function(method, feature_1, feature_2, ...) {
  found <<- rbind(found, data.frame(method, feature_1, feature_2, quantity = names(c(...)), value = as.numeric(c(...))))
}

# 1. One value per subject --------------------------------------------------------------------------------------------
n <- 40
subjects <- data.frame(
  subject = sprintf("S%02d", 1:n), arm = sample(rep(c("fmt", "placebo"), c(22, 18))),
  age = round(rnorm(n, 60, 9)), bmi = round(rnorm(n, 26, 3), 1)
)
latent <- rnorm(n)
taxa <- sapply(1:4, function(i) exp(latent * (i == 1) + rnorm(n)) * (runif(n) < c(0.9, 0.6, 0.7, 0.5)[i]) / 100)
taxa[, 4] <- ifelse(subjects$arm == "fmt", exp(rnorm(n)) / 100, 0) # presence separated by arm
colnames(taxa) <- paste0("t", 1:4)
metabolites <- sapply(1:3, function(i) exp(0.7 * latent * (i == 1) + 0.03 * (subjects$age - 60) + rnorm(n)))
metabolites[sample(n, 5), 2] <- NA
metabolites[, 3] <- round(metabolites[, 3]) # ties
colnames(metabolites) <- paste0("m", 1:3)
write_tsv(cbind(subjects, taxa, metabolites), "associate_subjects.tsv")

spearman <- function(x, y, name_1, name_2) {
  test <- suppressWarnings(cor.test(x, y, method = "spearman", exact = FALSE))
  add("spearman", name_1, name_2, effect = test$estimate[[1]], p_value = test$p.value, n = sum(!is.na(x) & !is.na(y)))
}
partial <- function(x, y, z, name_1, name_2) {
  all <- data.frame(x, y, z)
  all <- as.data.frame(sapply(all[complete.cases(all), ], rank))
  a <- resid(lm(x ~ . - y, all))
  b <- resid(lm(y ~ . - x, all))
  r <- cor(a, b)
  df <- nrow(all) - 2 - ncol(data.frame(z))
  add("partial_spearman", name_1, name_2, effect = r, p_value = 2 * pt(-abs(r) * sqrt(df / (1 - r^2)), df))
}
# Firth's penalised likelihood written out: coefficient, profile bounds and likelihood ratio of the second column.
firth <- function(y, x) {
  unit <- sd(x)
  X <- cbind(1, (x - mean(x)) / unit)
  loglik <- function(b) {
    eta <- as.vector(X %*% b)
    p <- plogis(eta)
    value <- sum(y * plogis(eta, log.p = TRUE) + (1 - y) * plogis(-eta, log.p = TRUE)) +
      0.5 * as.numeric(determinant(t(X) %*% (X * (p * (1 - p))))$modulus)
    if (is.finite(value)) value else -1e10
  }
  full <- list(par = c(0, 0))
  for (i in 1:3) full <- optim(full$par, loglik, control = list(fnscale = -1, reltol = 1e-16, maxit = 5000))
  b <- full$par[2]
  # The intercept that goes with a slope lies near the one that keeps the mean of the linear predictor.
  profile <- function(b2) {
    optimize(function(b1) loglik(c(b1, b2)), full$par[1] + c(-1, 1) * (2 + 3 * abs(b2 - b)), maximum = TRUE, tol = 1e-11)$objective
  }
  fall <- function(b2) full$value - profile(b2) - qchisq(0.95, 1) / 2
  bound <- function(side) {
    reach <- 0.5
    while (fall(b + side * reach) < 0) reach <- reach + 0.5
    uniroot(fall, sort(c(b + side * (reach - 0.5), b + side * reach)), tol = 1e-10)$root
  }
  c(effect = b / unit, ci_low = bound(-1) / unit, ci_high = bound(1) / unit, statistic = 2 * (full$value - profile(0)))
}
for (t in colnames(taxa)) {
  for (m in colnames(metabolites)) {
    spearman(taxa[, t], metabolites[, m], t, m)
    partial(taxa[, t], metabolites[, m], subjects[c("age", "bmi")], t, m)
  }
  spearman(taxa[, t], subjects$age, t, "age")
  present <- as.numeric(taxa[, t] > 0)
  group <- as.numeric(subjects$arm == "fmt")
  wilcoxon <- suppressWarnings(wilcox.test(taxa[group == 1, t], taxa[group == 0, t]))
  add("permutation", t, "arm", effect = 2 * wilcoxon$statistic[[1]] / (sum(group) * sum(1 - group)) - 1)
  do.call(add, c(list("logistic", t, "arm"), as.list(firth(present, group))))
  do.call(add, c(list("logistic", t, "age"), as.list(firth(present, subjects$age - mean(subjects$age)))))
  if (t != "t4") {
    fit <- glm(present ~ group, family = binomial)
    bounds <- suppressMessages(confint(fit))["group", ]
    add("glm", t, "arm",
      effect = coef(fit)[[2]], ci_low = bounds[[1]], ci_high = bounds[[2]],
      statistic = anova(fit)$Deviance[2]
    )
    abundance <- log2(ifelse(taxa[, t] > 0, taxa[, t], NA))
    fit <- lm(abundance ~ group)
    add("least_squares", t, "arm",
      effect = coef(fit)[[2]], ci_low = confint(fit)[2, 1], ci_high = confint(fit)[2, 2],
      p_value = summary(fit)$coefficients[2, 4], df = fit$df.residual
    )
    fit <- lm(abundance ~ group + subjects$age)
    add("least_squares_adjusted", t, "arm",
      effect = coef(fit)[[2]], ci_low = confint(fit)[2, 1], ci_high = confint(fit)[2, 2],
      p_value = summary(fit)$coefficients[2, 4], df = fit$df.residual
    )
  }
}

# 2. Repeated measures ------------------------------------------------------------------------------------------------
rows <- expand.grid(visit = 1:4, who = 1:20)
rows <- rows[runif(nrow(rows)) > 0.15, ]
days <- c(-3, 14, 30, 90)
level <- rnorm(20)
both <- rnorm(nrow(rows))
rows <- data.frame(
  subject = sprintf("S%02d", rows$who), day = days[rows$visit],
  t1 = level[rows$who] + 0.5 * both + rnorm(nrow(rows)), t2 = 2 * level[rows$who] + rnorm(nrow(rows)),
  m1 = level[rows$who] + 0.6 * both + rnorm(nrow(rows)), m2 = rnorm(nrow(rows)) + 0.01 * days[rows$visit]
)
rows$m1[sample(nrow(rows), 4)] <- NA
write_tsv(rows, "associate_rows.tsv")
rows <- merge(rows, subjects, by = "subject")
for (t in c("t1", "t2")) {
  for (predictor in c("arm", "age", "day")) {
    x <- if (predictor == "arm") as.numeric(rows$arm == "fmt") else rows[[predictor]]
    for (adjusted in c(FALSE, TRUE)) {
      frame <- data.frame(y = rows[[t]], x, bmi = rows$bmi, subject = rows$subject)
      fit <- lme(if (adjusted) y ~ x + bmi else y ~ x, frame, ~ 1 | subject,
        control = lmeControl(msTol = 1e-12, tolerance = 1e-12, returnObject = TRUE)
      )
      table <- summary(fit)$tTable
      half <- qt(0.975, table["x", "DF"]) * table["x", "Std.Error"]
      add(if (adjusted) "mixed_model_adjusted" else "mixed_model", t, predictor,
        effect = table["x", "Value"], ci_low = table["x", "Value"] - half, ci_high = table["x", "Value"] + half,
        statistic = table["x", "t-value"], df = table["x", "DF"], p_value = table["x", "p-value"]
      )
    }
  }
  for (m in c("m1", "m2")) {
    frame <- rows[complete.cases(rows[c(t, m)]), ]
    fit <- lm(frame[[t]] ~ factor(frame$subject) + frame[[m]])
    ss <- anova(fit)[["Sum Sq"]]
    df <- fit$df.residual
    r <- sign(tail(coef(fit), 1)[[1]]) * sqrt(ss[2] / (ss[2] + ss[3]))
    bounds <- tanh(atanh(r) + c(-1, 1) * qnorm(0.975) / sqrt(df - 1))
    add("rm_corr", t, m,
      effect = r, ci_low = bounds[1], ci_high = bounds[2], df = df, p_value = anova(fit)[2, "Pr(>F)"]
    )
  }
}
write_tsv(found, "associate_expected.tsv")

# 3. Published data ---------------------------------------------------------------------------------------------------
folder <- Sys.getenv("MICROBIOME_REAL_DATA")
if (folder != "") {
  found <- data.frame()
  table_of <- function(...) read.delim(gzfile(file.path(folder, ...)), check.names = FALSE, quote = "")
  read <- function(...) {
    table <- table_of(...)
    rownames(table) <- table[[if ("Dataset" %in% names(table)) "Sample" else 1]]
    table[, -1]
  }
  groups <- function(x, group, name, what) {
    w <- suppressWarnings(wilcox.test(x[group == 1], x[group == 0], correct = FALSE, exact = FALSE))
    add("wilcoxon", name, what,
      effect = 2 * w$statistic[[1]] / (sum(group) * sum(1 - group)) - 1, p_value = w$p.value, n = length(x)
    )
  }
  both_parts <- function(x, group, name, what) {
    if (min(table(factor(x > 0, c(FALSE, TRUE)), group)) > 0) {
      fit <- glm((x > 0) ~ group, family = binomial)
      bounds <- suppressMessages(confint(fit))[2, ]
      add("glm", name, what,
        effect = coef(fit)[[2]], ci_low = bounds[[1]], ci_high = bounds[[2]], statistic = anova(fit)$Deviance[2]
      )
    }
    if (any(x == 0)) do.call(add, c(list("logistic", name, what), as.list(firth(as.numeric(x > 0), group))))
    there <- x > 0
    fit <- lm(log2(x[there]) ~ group[there])
    add("least_squares", name, what,
      effect = coef(fit)[[2]], ci_low = confint(fit)[2, 1], ci_high = confint(fit)[2, 2],
      p_value = summary(fit)$coefficients[2, 4]
    )
  }
  species <- read("prism_ibd", "ibd_taxa.tsv.gz")
  ecs <- read("prism_ibd", "ibd_functions.tsv.gz")
  people <- read("prism_ibd", "ibd_metadata.tsv.gz")[colnames(species), ]
  for (diagnosis in c("CD", "UC")) {
    kept <- people$Diagnosis %in% c(diagnosis, "Control")
    group <- as.numeric(people$Diagnosis[kept] == diagnosis)
    for (name in c("Faecalibacterium_prausnitzii", "Roseburia_hominis", "Ruminococcus_gnavus", "Alistipes_putredinis")) {
      x <- as.numeric(species[name, kept])
      groups(x, group, name, diagnosis)
      both_parts(x, group, name, diagnosis)
    }
    for (name in rownames(ecs)[c(1, 2, 500, 1000, 1500, 2000)]) {
      groups(as.numeric(ecs[name, colnames(species)[kept]]), group, name, diagnosis)
    }
  }
  spearman(as.numeric(species["Alistipes_putredinis", ]), people$Age, "Alistipes_putredinis", "Age")
  spearman(as.numeric(species["Alistipes_putredinis", ]), people$Fecal.Calprotectin, "Alistipes_putredinis", "Fecal.Calprotectin")
  write_real <- cbind(data = "prism_ibd", found)

  found <- data.frame()
  genera <- read("gastrectomy_metabolome", "genera.counts.tsv.gz")
  molecules <- read("gastrectomy_metabolome", "mtb.tsv.gz")
  people <- read("gastrectomy_metabolome", "metadata.tsv.gz")
  genera <- genera / rowSums(genera)
  genera <- genera[, order(-colMeans(genera))[1:60]]
  molecules <- molecules[rownames(genera), ]
  people <- people[rownames(genera), ]
  for (i in c(1, 5, 20, 60)) {
    for (j in c(3, 100, 250, 400, 524)) {
      if (sd(molecules[, j]) > 0) {
        spearman(genera[, i], molecules[, j], colnames(genera)[i], colnames(molecules)[j])
        partial(genera[, i], molecules[, j], people[c("Age", "BMI")], colnames(genera)[i], colnames(molecules)[j])
      }
    }
  }
  write_real <- rbind(write_real, cbind(data = "gastrectomy_metabolome", found))

  found <- data.frame()
  species <- read.csv(gzfile(file.path(folder, "toposcore", "DS2_oncology_microbiome_data_DiscValid.csv.gz")),
    row.names = 1, check.names = FALSE
  )
  people <- read.csv(file.path(folder, "toposcore", "DS1_oncology_clinical_data_DiscValid.csv"), check.names = FALSE)
  people <- people[people$IDMGP %in% rownames(species), ]
  species <- species[people$IDMGP, ] / 100
  kept <- people$Best_response %in% c("CR", "PR", "SD", "PD")
  group <- as.numeric(people$Best_response[kept] %in% c("CR", "PR"))
  for (name in c("Akkermansia_muciniphila", "Faecalibacterium_prausnitzii", "Bacteroides_uniformis", "Ruminococcus_bromii")) {
    groups(species[kept, name], group, name, "responder")
    both_parts(species[kept, name], group, name, "responder")
    spearman(species[, name], people$OS, name, "OS")
    partial(species[, name], people$OS, people["Age"], name, "OS")
  }
  write_real <- rbind(write_real, cbind(data = "toposcore", found))
  write_tsv(write_real, "associate_real.tsv")
}
