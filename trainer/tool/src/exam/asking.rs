//! The exam without gasbench: recordings are decoded the competition's way, and the archive's `model.py` answers.

use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dfr_contract::evaluation::Evaluation;
use dfr_contract::input::{
    ClipSpec, FrameSpec, InputSpec, Preprocessing, RecordSpec, SoundSpec, Source, SplitShares,
};
use dfr_contract::pack::Part;
use dfr_export::config::Config;
use dfr_media::decode::{DecodeError, Decoded, Decoder, Kept, LIMIT};
use dfr_media::ffmpeg::Ffmpeg;
use dfr_media::files::FileError;
use rayon::prelude::*;

use super::ExamError;
use super::samples::Sample;
use crate::answers::{self, Answer};
use crate::failure::Failure;
use crate::python::{Python, write_loader};
use crate::settings::Settings;
use crate::train::TrainError;
use crate::worker;

/// A submission that is to be asked.
pub struct Asking<'a> {
    /// What it is fed.
    pub config: &'a Config,
    /// Who runs it.
    pub python: &'a Python,
    /// Where it is unpacked.
    pub model: &'a Path,
    /// Time that it may take.
    pub limit: Duration,
    /// What the benchmark makes of the files first.
    pub kept: Kept,
}

impl Asking<'_> {
    /// Decodes the recordings the competition's way and asks about them, in order and in batches. What
    /// cannot be decoded is named and does not count.
    ///
    /// # Errors
    /// Nothing can be decoded, or the submission does not answer to the end.
    pub fn ask(&self, samples: &[Sample], settings: &Settings) -> Result<Evaluation, Failure> {
        let input = benchmark_input(self.config)?;
        let ffmpeg = Ffmpeg::find(&settings.ffmpeg)?;
        let workers = worker::pool()?;
        let ask = |request: &[u8]| workers.ask(request);
        let decoder = Decoder { ffmpeg: &ffmpeg, ask: &ask, input: &input, limit: LIMIT };
        let decode = |file: &Path| decoder.decode_kept(file, Part::Validation, self.kept);
        write_loader(self.model, self.config)?;
        let (reader, writer) = io::pipe().map_err(pipe_error)?;
        let (shape, stdin) = (input.record_shape(Part::Validation), Stdio::from(reader));
        let about = (self.config.modality, shape.as_slice());
        let phase = self.python.asking(self.model, about, stdin, self.limit);
        let gone = AtomicBool::new(false);
        let (fed, answers) = thread::scope(|scope| {
            let feeding = scope.spawn(|| feed(samples, &decode, writer, &gone));
            let answers = answers::of(phase, self.config);
            gone.store(true, Ordering::Relaxed);
            (feeding.join().expect("it does not panic"), answers)
        });
        let answers = answers.map_err(ExamError::from)?;
        let asked = fed.require(samples)?;
        if answers.len() != asked.len() {
            return Err(ExamError::Silent { answers: answers.len(), asked: asked.len() }.into());
        }
        evaluate(&asked, &answers)
    }
}

fn evaluate(asked: &[&Sample], answers: &[Answer]) -> Result<Evaluation, Failure> {
    let labels: Vec<u8> = asked.iter().map(|sample| sample.label).collect();
    let sources: Vec<String> = asked.iter().map(|sample| sample.dataset.clone()).collect();
    let p_synthetic: Vec<f64> = answers.iter().map(|answer| answer.p_synthetic).collect();
    let calls: Vec<bool> = answers.iter().map(|answer| answer.is_synthetic).collect();
    let evaluation = Evaluation::called(&labels, (&p_synthetic, &calls), &sources);
    Ok(evaluation.map_err(TrainError::from)?)
}

fn pipe_error(source: io::Error) -> FileError {
    FileError { action: "make a pipe to", path: "python".into(), source }
}

/// What became of the recordings, by their numbers.
#[derive(Default)]
struct Fed {
    /// Those that were put to the submission.
    asked: Vec<usize>,
    /// The first that could not be decoded, and why.
    unread: Option<(usize, String)>,
}

impl Fed {
    /// What was asked about. Where nothing could be, that is no answer of the submission.
    fn require<'s>(&self, samples: &'s [Sample]) -> Result<Vec<&'s Sample>, ExamError> {
        match &self.unread {
            Some((at, reason)) if self.asked.is_empty() => {
                let (first, reason) = (samples[*at].path.clone(), reason.clone());
                Err(ExamError::Unread { asked: samples.len(), first, reason })
            }
            _ => Ok(self.asked.iter().map(|&at| &samples[at]).collect()),
        }
    }
}

/// Writes records until all are written or nobody reads. One that nobody read was asked about too: it stays without
/// an answer.
fn feed(
    samples: &[Sample],
    decode: &(dyn Fn(&Path) -> Result<Decoded, DecodeError> + Sync),
    mut writer: io::PipeWriter,
    gone: &AtomicBool,
) -> Fed {
    let mut fed = Fed::default();
    let numbers: Vec<usize> = (0..samples.len()).collect();
    for batch in numbers.chunks(4 * rayon::current_num_threads()) {
        let decoded: Vec<_> = batch.par_iter().map(|&at| (at, decode(&samples[at].path))).collect();
        for (at, record) in decoded {
            match record {
                Ok(record) => {
                    fed.asked.push(at);
                    if writer.write_all(&record.bytes).is_err() {
                        return fed;
                    }
                }
                Err(error) => {
                    eprintln!("left out {}: {error}", samples[at].path.display());
                    fed.unread.get_or_insert_with(|| (at, error.to_string()));
                }
            }
        }
        if gone.load(Ordering::Relaxed) {
            return fed;
        }
    }
    fed
}

fn whole_rate(rate: f64) -> Result<NonZeroU32, ExamError> {
    let whole = (rate.fract() == 0.0).then(|| NonZeroU32::new(rate as u32)).flatten();
    whole.ok_or(ExamError::FrameRate(rate))
}

/// The record that the competition makes of a recording for such a submission.
fn benchmark_input(config: &Config) -> Result<InputSpec, ExamError> {
    let frame_rate = config.preprocessing.frame_rate.map(whole_rate).transpose()?;
    let shape: Vec<u32> = config.shape().iter().map(|&size| size as u32).collect();
    let frame =
        |height, width| FrameSpec { height, width, preprocessing: Preprocessing::Benchmark };
    let record = match *shape.as_slice() {
        [frames, _, height, width] => {
            RecordSpec::Video(ClipSpec { frames, frame_rate, frame: frame(height, width) })
        }
        [_, height, width] => RecordSpec::Image(frame(height, width)),
        _ => RecordSpec::Audio(SoundSpec {
            sample_rate_hz: 16_000,
            samples: shape[0],
            stored_samples: shape[0],
        }),
    };
    Ok(InputSpec {
        record,
        source: Source::Downloaded,
        splits: SplitShares { train: 0, validation: 100, holdout: 0 },
        leave_out: std::collections::BTreeSet::new(),
        max_per_class: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfr_contract::pack::REAL;

    fn fed(asked: &[usize], unread: Option<usize>) -> Result<usize, ExamError> {
        let samples: Vec<Sample> = ["a", "b"]
            .map(|file| Sample { dataset: "d".to_owned(), path: file.into(), label: REAL })
            .into();
        let unread = unread.map(|at| (at, "no such file".to_owned()));
        Ok(Fed { asked: asked.to_vec(), unread }.require(&samples)?.len())
    }

    #[test]
    fn where_nothing_can_be_read_there_is_no_verdict() {
        let error = fed(&[], Some(0)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("not one of 2 recordings can be read, the first of them a: no such")
        );
        assert_eq!(error.exit_code(), dfr_contract::exit::CONFIGURATION);
        assert_eq!(fed(&[1], Some(0)).unwrap(), 1);
    }

    #[test]
    fn a_record_that_nobody_reads_was_asked_about() {
        let samples = [Sample { dataset: "d".to_owned(), path: "a".into(), label: REAL }];
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let fingerprint = dfr_media::fingerprint::Fingerprint::Sound(
            dfr_media::fingerprint::audio::Sound([].into()),
        );
        let decode = |_: &Path| {
            Ok(Decoded { bytes: vec![0; 4], length: 0, fingerprint: fingerprint.clone() })
        };
        assert_eq!(feed(&samples, &decode, writer, &AtomicBool::new(false)).asked, [0]);
    }
}
