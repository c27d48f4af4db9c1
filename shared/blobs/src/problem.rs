//! How a failure with a blob reads to the caller of a function.

use std::time::Duration;

use nova_runtime::Problem;

use crate::Error;

/// Most failures of the storage are over by then.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::TooLarge { limit } => Self::too_large(limit),
            Error::WrongSize { .. } => Self::bad_request(format!("{error}.")),
            // A function's own reader says what is wrong by a problem already.
            Error::Body(cause) => match cause.downcast::<Self>() {
                Ok(problem) => *problem,
                Err(cause) => {
                    Self::bad_request("The content could not be read to its end.").caused_by(cause)
                }
            },
            Error::Store(error) => error.into(),
            Error::Unavailable(_) => {
                let detail = "The file storage is not available at the moment. Try again shortly.";
                Self::unavailable(detail, TRY_AGAIN_AFTER).caused_by(error)
            }
            Error::Precondition { .. } => {
                Self::conflict("This upload was made before, with other content.").caused_by(error)
            }
            // A row speaks of an object that is not there, or is damaged, or may not be touched: whoever asked can
            // do nothing about it, and someone should look.
            Error::NotFound { .. } | Error::Corrupt { .. } | Error::Denied(_) | Error::Other(_) => {
                Self::internal(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_status() {
        let status = |error: Error| Problem::from(error).status().as_u16();
        let object = || "v1/x".to_owned();
        assert_eq!(status(Error::TooLarge { limit: 10 }), 413);
        assert_eq!(
            status(Error::WrongSize {
                declared: 1,
                arrived: 2
            }),
            400
        );
        assert_eq!(status(Error::Body("hung up".into())), 400);
        assert_eq!(status(Error::Body(Problem::too_large(10).into())), 413);
        assert_eq!(status(Error::Unavailable("503".into())), 503);
        assert_eq!(status(Error::Precondition { object: object() }), 409);
        assert_eq!(status(Error::NotFound { object: object() }), 500);
        assert_eq!(status(Error::corrupt("v1/x", "bits")), 500);
        assert_eq!(status(Error::Denied("403".into())), 500);
    }
}
