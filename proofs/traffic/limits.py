"""From where on a measured number is a finding, and why there. None of these promises that less than that is harmless.

What an observer learns of sealed letters is not nothing, and depends on how much is written. Each limit is put between what was
measured of the honest system, with the spread of some runs, and what was measured with the leak that it is to notice.
docs/explanation/what-traffic-still-tells.md has these numbers, and what they mean.
"""

from typing import Final

#: Sealed letters whose sender the observer names, among the 24 people of `world`. Measured: 0.05 to 0.3, which is what a guess
#: has there; 0.92 with receipts after one to five seconds, 0.6 to 0.75 with receipts at once.
ATTRIBUTED: Final = 0.4
#: The same in the model's institution, where there are more people to confuse.
ATTRIBUTED_IN_MODEL: Final = 0.35
#: Of all bits that there are about the sender of a sealed letter: the part that timing may tell. Measured: 0 to 0.15; 0.6 to
#: 0.9 with receipts after one to five seconds.
TIMING_SHARE: Final = 0.4
#: What sealed has to hide, at least: the share of letters whose sender standard names and sealed does not.
HIDDEN: Final = 0.5
#: Pairs of letters by one person to another, more than two minutes apart, that came over one connection. An anonymous
#: connection ends 45 seconds after its last use at most: only a conversation that goes on keeps one. Measured: 0; 1 if kept.
TIED: Final = 0.25
#: Letters that are signed by what comes beside them: by a copy for the sender's other device, by a question about the sender.
#: Measured: 0 to 0.05, by chance; 0.8 and more where clients do that.
SIGNED: Final = 0.25
#: Bits about a letter's length in its size. Padmé with a floor of 2 KiB leaves few sizes for what people write: 1.7 measured,
#: where the length itself has 5.5.
SIZE_BITS: Final = 2.5
#: Bits of whether it is a letter or a receipt: 0.15 measured of 1. Most letters are as small as a receipt.
KIND_BITS: Final = 0.4
