//! A part of a video as a piece of a job: `https://www.youtube.com/watch?v=ID&t=1800`.

use nova_research::{
    transcript::{Progress, clock},
    url::SourceUrl,
};
use nova_runtime::{Problem, jobs::Failure};

/// A part of a video, from a second of it to wherever it goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VideoPart {
    /// The video's one URL.
    pub(crate) url: String,
    /// What makes it the same video again.
    pub(crate) identity: String,
    /// The second.
    pub(crate) start: u64,
}

/// Between the video and the second. It is understood by YouTube as well.
const START: &str = "&t=";

impl VideoPart {
    /// Reads the key of a piece.
    pub(crate) fn parse(key: &str) -> Result<Self, Problem> {
        let (url, start) = match key.split_once(START) {
            Some((url, start)) => (url, start.parse().map_err(Problem::internal)?),
            None => (key, 0),
        };
        let (url, identity, _) = SourceUrl::parse(url)
            .map_err(Problem::internal)?
            .into_parts();
        Ok(Self {
            url,
            identity,
            start,
        })
    }

    /// The video's name at YouTube.
    pub(crate) fn id(&self) -> &str {
        let (_, id) = self.url.rsplit_once("v=").unwrap_or_default();
        id
    }

    /// The key of the part of this video that begins there.
    pub(crate) fn at(&self, second: u64) -> String {
        format!("{}{START}{second}", self.url)
    }

    /// What whoever waits is told.
    pub(crate) fn note(&self) -> String {
        match self.start {
            0 => format!("transcribing {}", self.url),
            start => format!("transcribing {} from {}", self.url, clock(start)),
        }
    }

    /// What the article has already, in place of this part.
    ///
    /// # Errors
    ///
    /// When it is less than was there when this part was listed.
    pub(crate) fn known(&self, progress: Progress) -> Result<Progress, Failure> {
        match progress {
            Progress::Until(second) if second < self.start => Err(Failure::Never(
                "removed: the transcript was taken out of the article meanwhile; call the tool again"
                    .to_owned(),
            )),
            progress => Ok(progress),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://www.youtube.com/watch?v=dQw4w9WgXcQ";

    #[test]
    fn the_parts_of_a_video_are_of_the_same_video() {
        let first = VideoPart::parse(URL).unwrap();
        assert_eq!(
            (&*first.url, first.id(), first.start),
            (URL, "dQw4w9WgXcQ", 0)
        );
        let second = VideoPart::parse(&first.at(1800)).unwrap();
        assert_eq!(second.start, 1800);
        assert_eq!(
            (second.url, second.identity),
            (first.url.clone(), first.identity)
        );
        assert!(VideoPart::parse("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=x").is_err());
    }

    #[test]
    fn what_was_there_before_and_is_gone_is_not_begun_in_the_middle() {
        let part = VideoPart::parse(&format!("{URL}&t=1800")).unwrap();
        let ahead = part.known(Progress::Until(3600)).unwrap();
        assert_eq!(ahead, Progress::Until(3600));
        assert!(part.known(Progress::Whole).is_ok());
        assert!(part.known(Progress::NONE).is_err());
    }
}
