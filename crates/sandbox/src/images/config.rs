//! How an image is run: its own settings, with those of the function's `ImageConfig` in their place.
//!
//! `USER` has no effect, as on AWS, where a function runs as the least-privileged user (AWS developer guide,
//! images-create). Never here: variables that the platform sets.

use domain::image::ImageConfig;

use super::documents::Run;

/// What an image says of its start, overridden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Program {
    /// `ENTRYPOINT`; its first word is the program, unless it is empty.
    pub(crate) entry_point: Vec<String>,
    /// `CMD`: the words after those of the entry point. Where both are empty, there is nothing to run.
    pub(crate) command: Vec<String>,
    /// Absolute.
    pub(crate) working_directory: String,
    /// `ENV`, in order; the last of a name counts. The function's own variables go over these.
    pub(crate) variables: Vec<(String, String)>,
}

impl Program {
    /// The program to run and its arguments.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.entry_point.iter().chain(&self.command).map(String::as_str)
    }

    pub(super) fn new(image: Option<&Run>, over: &ImageConfig) -> Self {
        let image = image.cloned().unwrap_or_default();
        let given = |given: &[String], own: Option<Vec<String>>| {
            if given.is_empty() { own.unwrap_or_default() } else { given.to_vec() }
        };
        let own_directory = image.working_dir.filter(|directory| !directory.is_empty());
        let directory = over.working_directory.clone().or(own_directory).unwrap_or_else(|| "/".to_owned());
        let mut variables: Vec<(String, String)> = Vec::new();
        for variable in image.env.unwrap_or_default() {
            // One without `=` is none; a zero byte cannot be handed to a program.
            let Some((name, value)) = variable.split_once('=') else { continue };
            if name.is_empty() || variable.contains('\0') {
                continue;
            }
            variables.retain(|(before, _)| before != name);
            variables.push((name.to_owned(), value.to_owned()));
        }
        Self {
            entry_point: given(&over.entry_point, image.entrypoint),
            command: given(&over.command, image.cmd),
            working_directory: if directory.starts_with('/') { directory } else { format!("/{directory}") },
            variables,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_the_function_says_takes_the_place_of_what_the_image_says() {
        let image = Run {
            entrypoint: Some(words("/entry -v")),
            cmd: Some(words("app.handler")),
            env: Some(words("A=1 B=2=3 A=4 nothing =x")),
            working_dir: Some("/var/task".into()),
        };
        let own = Program::new(Some(&image), &ImageConfig::default());
        let variables = vec![("B".to_owned(), "2=3".to_owned()), ("A".to_owned(), "4".to_owned())];
        assert_eq!(
            own,
            Program {
                entry_point: words("/entry -v"),
                command: words("app.handler"),
                working_directory: "/var/task".into(),
                variables: variables.clone(),
            }
        );
        let over = ImageConfig { command: words("other.handler"), ..ImageConfig::default() };
        assert_eq!(Program::new(Some(&image), &over), Program { command: words("other.handler"), ..own.clone() });
        let over = ImageConfig {
            entry_point: words("sh"),
            command: words("-c true"),
            working_directory: Some("/app1".into()),
        };
        let all = Program {
            entry_point: words("sh"),
            command: words("-c true"),
            working_directory: "/app1".into(),
            variables,
        };
        assert_eq!(Program::new(Some(&image), &over), all);
    }

    #[test]
    fn an_image_that_says_nothing_runs_nothing_in_the_root() {
        let nothing = Program { working_directory: "/".into(), ..Program::default() };
        assert_eq!(Program::new(None, &ImageConfig::default()), nothing);
        let relative = Run { working_dir: Some("app".into()), ..Run::default() };
        assert_eq!(Program::new(Some(&relative), &ImageConfig::default()).working_directory, "/app");
    }
}
