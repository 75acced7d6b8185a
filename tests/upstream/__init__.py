"""Miniatures of public networks: their module names and their arithmetic, written from their descriptions.

Each proves one mapping of ``pocketsr.importing``: its state dict is what the public code saves.
"""

from upstream import cascade, classic, plain
from upstream.parts import Maker

MAKERS = {
    "ncnet": Maker("NCNet (torch)", "ncnet", lambda: plain.ncnet(3), plain.run_ncnet),
    "ncnet-x4": Maker("NCNet (torch)", "ncnet", lambda: plain.ncnet(4), plain.run_ncnet),
    "abpn": Maker("ABPN of ETDS", "abpn", lambda: plain.abpn(3), plain.run_abpn),
    "xlsr": Maker("XLSR", "xlsr", plain.xlsr, plain.run_xlsr),
    "xlsr-aimet": Maker("XLSRRelease", "xlsr", plain.aimet_xlsr, plain.run_aimet_xlsr),
    "sesr": Maker("SESRRelease", "sesr", lambda: plain.sesr(collapsed=False, scale=2), plain.run_sesr),
    "sesr-collapsed-x4": Maker("SESRRelease", "sesr", lambda: plain.sesr(collapsed=True, scale=4), plain.run_sesr),
    **{
        f"lrsrn-{kind}": Maker("LRSRN (plainRepConv)", "lrsrn", lambda kind=kind: plain.lrsrn(kind), plain.run_lrsrn)
        for kind in ("deploy", "backbone", "all", "v2")
    },
    "rtsrn": Maker("RTSRN", "rtsrn", lambda: plain.rtsrn(linear=False), plain.run_rtsrn),
    "rtsrn-linear": Maker("RTSRN", "rtsrn", lambda: plain.rtsrn(linear=True), plain.run_rtsrn),
    "etds": Maker("ETDS", "etds", plain.etds, plain.run_etds),
    "span": Maker("SPAN", "span", plain.span, plain.run_span),
    "srcnn": Maker("SRCNN", "srcnn", classic.srcnn, classic.run_srcnn, 2),
    "fsrcnn": Maker("FSRCNN", "fsrcnn", classic.fsrcnn, classic.run_fsrcnn, 3),
    "espcn": Maker("ESPCN", "espcn", classic.espcn, classic.run_espcn),
    "imdn": Maker("IMDN", "imdn", classic.imdn, classic.run_imdn),
    "srresnet": Maker("SRResNet (tutorial)", "srresnet", classic.srresnet, classic.run_srresnet),
    "imdn-kair": Maker("IMDN (KAIR)", "imdn", classic.kair_imdn, classic.run_kair_imdn),
    "carn": Maker("CARN, CARN-M", "carn", lambda: cascade.carn(wrapped=True, mobile=False), cascade.run_carn, 4),
    "carn-m": Maker("CARN, CARN-M", "carn-m", lambda: cascade.carn(wrapped=True, mobile=True), cascade.run_carn, 4),
    "pcarn": Maker("PCARN, PCARN-M", "pcarn", lambda: cascade.carn(wrapped=False, mobile=False), cascade.run_carn, 4),
    "pcarn-m": Maker(
        "PCARN, PCARN-M", "pcarn-m", lambda: cascade.carn(wrapped=False, mobile=True), cascade.run_carn, 4
    ),
    "f2srgan": Maker("F2SRGAN (teacher)", "f2srgan", lambda: cascade.f2srgan("teacher"), cascade.run_f2srgan),
    "f2srgan-student": Maker(
        "F2SRGAN student, Light F2SRGAN", "f2srgan-student", lambda: cascade.f2srgan("student"), cascade.run_f2srgan
    ),
    "f2srgan-light": Maker(
        "F2SRGAN student, Light F2SRGAN", "f2srgan-light", lambda: cascade.f2srgan("light"), cascade.run_f2srgan
    ),
}
