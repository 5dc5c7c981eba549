"""The literature that the methods cite, and the numbered links to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup, escape

__all__ = ["REFERENCES", "cited"]

#: Key of each reference: what is cited, and its DOI (or ``pubmed:`` and its number).
REFERENCES: dict[str, tuple[str, str]] = {
    "metaphlan": ("Blanco-Míguez et al., Nat Biotechnol 41:1633 (2023)", "10.1038/s41587-023-01688-w"),
    "kraken2": ("Wood et al., Genome Biol 20:257 (2019)", "10.1186/s13059-019-1891-0"),
    "bracken": ("Lu et al., PeerJ Comput Sci 3:e104 (2017)", "10.7717/peerj-cs.104"),
    "sourmash": ("Irber et al., J Open Source Softw 9:6830 (2024)", "10.21105/joss.06830"),
    "taxpasta": ("Beber et al., J Open Source Softw 8:5627 (2023)", "10.21105/joss.05627"),
    "biom": ("McDonald et al., GigaScience 1:7 (2012)", "10.1186/2047-217X-1-7"),
    "sequence_abundance": ("Sun et al., Nat Methods 18:618 (2021)", "10.1038/s41592-021-01141-3"),
    "fastp": ("Chen et al., Bioinformatics 34:i884 (2018)", "10.1093/bioinformatics/bty560"),
    "bowtie2": ("Langmead and Salzberg, Nat Methods 9:357 (2012)", "10.1038/nmeth.1923"),
    "snakemake": ("Mölder et al., F1000Research 10:33 (2021)", "10.12688/f1000research.29032.2"),
    "multiqc": ("Ewels et al., Bioinformatics 32:3047 (2016)", "10.1093/bioinformatics/btw354"),
    "scikit-bio": ("Aton et al., Nat Methods (2025)", "10.1038/s41592-025-02981-z"),
    "shannon": ("Shannon, Bell Syst Tech J 27:379 (1948)", "10.1002/j.1538-7305.1948.tb01338.x"),
    "simpson": ("Simpson, Nature 163:688 (1949)", "10.1038/163688a0"),
    "pielou": ("Pielou, J Theor Biol 13:131 (1966)", "10.1016/0022-5193(66)90013-0"),
    "berger_parker": ("Berger and Parker, Science 168:1345 (1970)", "10.1126/science.168.3937.1345"),
    "faith_pd": ("Faith, Biol Conserv 61:1 (1992)", "10.1016/0006-3207(92)91201-3"),
    "bray_curtis": ("Bray and Curtis, Ecol Monogr 27:325 (1957)", "10.2307/1942268"),
    "jaccard": ("Jaccard, New Phytol 11:37 (1912)", "10.1111/j.1469-8137.1912.tb05611.x"),
    "aitchison": ("Aitchison, J R Stat Soc B 44:139 (1982)", "10.1111/j.2517-6161.1982.tb01195.x"),
    "robust_aitchison": ("Martino et al., mSystems 4:e00016-19 (2019)", "10.1128/mSystems.00016-19"),
    "hellinger": ("Legendre and Gallagher, Oecologia 129:271 (2001)", "10.1007/s004420100716"),
    "unweighted_unifrac": (
        "Lozupone and Knight, Appl Environ Microbiol 71:8228 (2005)",
        "10.1128/AEM.71.12.8228-8235.2005",
    ),
    "weighted_unifrac": ("Lozupone et al., Appl Environ Microbiol 73:1576 (2007)", "10.1128/AEM.01996-06"),
    "pcoa": ("Gower, Biometrika 53:325 (1966)", "10.1093/biomet/53.3-4.325"),
    "permanova": ("Anderson, Austral Ecol 26:32 (2001)", "10.1111/j.1442-9993.2001.01070.pp.x"),
    "permdisp": ("Anderson, Biometrics 62:245 (2006)", "10.1111/j.1541-0420.2005.00440.x"),
    "q2-fmt": ("Herman et al., Assessing engraftment following fecal microbiota transplant (2024)", "pubmed:38659636"),
    "vega-lite": ("Satyanarayan et al., IEEE Trans Vis Comput Graph 23:341 (2017)", "10.1109/TVCG.2016.2599030"),
    "altair": ("VanderPlas et al., J Open Source Softw 3:1057 (2018)", "10.21105/joss.01057"),
    "lod": ("Armbruster and Pry, Clin Biochem Rev 29 Suppl 1:S49 (2008)", "pubmed:18852857"),
    "permutation_p": ("Phipson and Smyth, Stat Appl Genet Mol Biol 9:39 (2010)", "10.2202/1544-6115.1585"),
    "welch": ("Welch, Biometrika 34:28 (1947)", "10.1093/biomet/34.1-2.28"),
    "hodges_lehmann": ("Hodges and Lehmann, Ann Math Stat 34:598 (1963)", "10.1214/aoms/1177704172"),
    "cliff": ("Cliff, Psychol Bull 114:494 (1993)", "10.1037/0033-2909.114.3.494"),
    "mixed_model": ("Laird and Ware, Biometrics 38:963 (1982)", "10.2307/2529876"),
    "wilcoxon": ("Wilcoxon, Biometrics Bull 1:80 (1945)", "10.2307/3001968"),
    "bh": ("Benjamini and Hochberg, J R Stat Soc B 57:289 (1995)", "10.1111/j.2517-6161.1995.tb02031.x"),
    "clopper_pearson": ("Clopper and Pearson, Biometrika 26:404 (1934)", "10.1093/biomet/26.4.404"),
    "ianiro": ("Ianiro et al., Nat Med 28:1913 (2022)", "10.1038/s41591-022-01964-3"),
    "valles_colomer": ("Valles-Colomer et al., Nature 614:125 (2023)", "10.1038/s41586-022-05620-1"),
    "schmidt": ("Schmidt et al., Nat Med 28:1902 (2022)", "10.1038/s41591-022-01913-0"),
    "samestr": ("Podlesny et al., Cell Rep Med 3:100711 (2022)", "10.1016/j.xcrm.2022.100711"),
    "strainphlan": ("Truong et al., Genome Res 27:626 (2017)", "10.1101/gr.216242.116"),
    "instrain": ("Olm et al., Nat Biotechnol 39:727 (2021)", "10.1038/s41587-020-00797-0"),
    "youden": ("Youden, Cancer 3:32 (1950)", "pubmed:15405679"),
    "recist": ("Eisenhauer et al., Eur J Cancer 45:228 (2009)", "10.1016/j.ejca.2008.10.026"),
    "irecist": ("Seymour et al., Lancet Oncol 18:e143 (2017)", "10.1016/S1470-2045(17)30074-8"),
    "wilson": ("Wilson, J Am Stat Assoc 22:209 (1927)", "10.1080/01621459.1927.10502953"),
    "newcombe": (
        "Newcombe, Stat Med 17:873 (1998)",
        "10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I",
    ),
    "fisher": ("Fisher, J R Stat Soc 85:87 (1922)", "10.2307/2340521"),
    "kaplan_meier": ("Kaplan and Meier, J Am Stat Assoc 53:457 (1958)", "10.1080/01621459.1958.10501452"),
    "log_rank": ("Mantel, Cancer Chemother Rep 50:163 (1966)", "pubmed:5910392"),
    "cox": ("Cox, J R Stat Soc B 34:187 (1972)", "10.1111/j.2517-6161.1972.tb00899.x"),
    "schoenfeld": ("Grambsch and Therneau, Biometrika 81:515 (1994)", "10.1093/biomet/81.3.515"),
    "landmark": ("Anderson et al., J Clin Oncol 1:710 (1983)", "10.1200/JCO.1983.1.11.710"),
    "silhouette": ("Rousseeuw, J Comput Appl Math 20:53 (1987)", "10.1016/0377-0427(87)90125-7"),
    "gap": ("Tibshirani et al., J R Stat Soc B 63:411 (2001)", "10.1111/1467-9868.00293"),
    "spearman": ("Spearman, Am J Psychol 15:72 (1904)", "10.2307/1412159"),
    "firth": ("Firth, Biometrika 80:27 (1993)", "10.1093/biomet/80.1.27"),
    "rm_corr": ("Bakdash and Marusich, Front Psychol 8:456 (2017)", "10.3389/fpsyg.2017.00456"),
    "humann": ("Beghini et al., eLife 10:e65088 (2021)", "10.7554/eLife.65088"),
    "mcnemar": ("McNemar, Psychometrika 12:153 (1947)", "10.1007/BF02295996"),
}


def cited(paragraphs: Sequence[str]) -> tuple[list[Markup], list[tuple[str, str, str]]]:
    """Escape paragraphs and turn each ``[@key]`` into a numbered link.

    Returns
    -------
    paragraphs
        Safe HTML.
    references
        (text, label, address) in the order of the numbers.
    """
    numbers: dict[str, int] = {}

    def link(match: re.Match[str]) -> str:
        key = match.group(1)
        if key not in REFERENCES:
            return match.group(0)
        n = numbers.setdefault(key, len(numbers) + 1)
        return f'<a class="ref" href="#ref-{n}">[{n}]</a>'

    # Escaped first: what comes from files cannot bring markup with it.
    done = [Markup(re.sub(r"\[@([a-z0-9_-]+)\]", link, str(escape(text)))) for text in paragraphs]  # noqa: S704
    return done, [(REFERENCES[key][0], *_address(REFERENCES[key][1])) for key in numbers]


def _address(text: str) -> tuple[str, str]:
    if text.startswith("pubmed:"):
        return f"PMID {text[7:]}", f"https://pubmed.ncbi.nlm.nih.gov/{text[7:]}/"
    return f"doi:{text}", f"https://doi.org/{quote(text, safe='/:;()')}"
