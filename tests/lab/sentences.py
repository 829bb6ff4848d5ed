"""Eight sentences, and how well each came through.

Lives here: what two people say at once, sentence by sentence, finding each in a recording, and its score and delay.
Must not: know the sound server, the daemons or what a call is.
"""

import numpy
from pesq import pesq

import sound

# IEEE Recommended Practice for Speech Quality Measurements (1969), lists 1 and 2, in four voices.
SENTENCES = (
    ("en-us+m3", "The birch canoe slid on the smooth planks."),
    ("en-us+m3", "Glue the sheet to the dark blue background."),
    ("en-gb+f3", "It is easy to tell the depth of a well."),
    ("en-gb+f3", "These days a chicken leg is a rare dish."),
    ("en-us+f4", "Rice is often served in round bowls."),
    ("en-us+f4", "The juice of lemons makes fine punch."),
    ("en-gb+m7", "Four hours of steady work faced us."),
    ("en-gb+m7", "A large size in stockings is hard to sell."),
)
# The seconds of each, silence before and after it included.
SLOT = 3.2
BEFORE = 0.35
# Nobody waits longer than so many seconds for what was said.
LONGEST = 1.5
# A sentence is looked for so many seconds around where the first one stood.
AROUND = 0.6
# In dBFS; what is quieter is nothing.
SILENCE = -60
# PESQ takes this rate.
WIDEBAND = 16000


def speech(folder):
    """All sentences one after the other, as samples."""
    slots = []
    for n, (voice, text) in enumerate(SENTENCES):
        said = sound.say(voice, text, folder / f"sentence-{n}.wav")
        slot = numpy.zeros(int(SLOT * sound.RATE))
        at = int(BEFORE * sound.RATE)
        said = said[: len(slot) - at]
        slot[at : at + len(said)] = said
        slots.append(slot)
    return numpy.concatenate(slots)


def looped(speech, first, seconds):
    """From that sentence on, for so long."""
    size, start = int(seconds * sound.RATE), int(first * SLOT * sound.RATE)
    return numpy.resize(numpy.roll(speech, -start), size)


def begin(said, mouth, start, end):
    """When the first sample of what was said entered the microphone, by a recording of it between two times."""
    recorded = mouth.between(start, end)
    return start + lag(said, recorded, len(recorded)) / sound.RATE


def stretch(said, begun, at, seconds, mouth, ears):
    """What was said from `at` on, as `judge` takes it: the words, and what was heard, with how late it was in milliseconds, none where
    nothing was."""
    size = int(seconds * sound.RATE)
    spoken = said[int(at * sound.RATE) :][:size]
    # A recording that has just begun, before anybody plays, can be some tenths of a second beside the time.
    entered = mouth.between(begun + at - AROUND, begun + at + seconds + AROUND)
    start = begun + at - AROUND + lag(spoken, entered, int(2 * AROUND * sound.RATE)) / sound.RATE
    heard = ears.between(start, start + seconds + LONGEST)
    late = lag(spoken, heard, int(LONGEST * sound.RATE))
    heard = heard[late : late + size]
    heard = numpy.pad(heard, (0, size - len(heard)))
    return spoken, heard, 1000 * late / sound.RATE if sound.level(heard) > SILENCE else None


def lag(original, recording, most):
    """After how many samples the recording is most alike to the original, up to that many."""
    if not len(recording) or not numpy.any(recording):
        return 0
    size = 1 << int(numpy.ceil(numpy.log2(len(original) + len(recording))))
    product = numpy.fft.rfft(recording, size) * numpy.conj(numpy.fft.rfft(original, size))
    return int(numpy.argmax(numpy.abs(numpy.fft.irfft(product, size)[:most])))


def judge(spoken, heard):
    """PESQ, wideband (ITU-T P.862.2); 1.0 where nothing was heard."""
    spoken, heard = (sound.resample(samples, sound.RATE, WIDEBAND).astype(numpy.float32) for samples in (spoken, heard))
    # PESQ refuses true silence, and says less of a sound that is none.
    if sound.level(heard) <= SILENCE:
        return 1.0
    noise = numpy.random.default_rng(1).normal(0, 1e-5, len(heard)).astype(numpy.float32)
    try:
        return float(pesq(WIDEBAND, spoken, heard + noise, "wb"))
    except Exception:  # of a compiled module: no utterance was found
        return 1.0
