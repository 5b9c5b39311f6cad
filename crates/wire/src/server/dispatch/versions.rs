//! Versions and aliases.

use domain::function::Function;
use domain::names::AliasName;
use engine::functions::{AliasEdit, NewAlias, Publication};

use super::{Answer, Call, Operations, marker, page_items, read_marker, write};
use crate::convert::function::{self, Detail};
use crate::convert::version::{self, read_version, routing, version_or_missing};
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn publish_version(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::PublishVersion>()?;
        version::check_publication(&asked)?;
        let target = self.home.read(&asked.function_name, None)?;
        let publication =
            Publication { description: asked.description, code: asked.code_sha256, revision: asked.revision_id };
        let published = self.functions.publish_version(&call.caller, &target, publication).await?;
        write::<op::PublishVersion>(&self.qualified(&published, Detail::Whole))
    }

    pub(super) fn list_versions(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListVersionsByFunction>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let after = read_marker(asked.marker.as_deref(), read_version)?;
        let page = self.functions.list_versions(&call.caller, &target, after, page_items(asked.max_items))?;
        write::<op::ListVersionsByFunction>(&types::ListVersionsByFunctionResponse {
            next_marker: page.next.map(|version| marker(&version.to_string())),
            versions: Some(page.items.iter().map(|found| self.qualified(found, Detail::Listed)).collect()),
        })
    }

    /// A version under its own number.
    fn qualified(&self, function: &Function, detail: Detail) -> types::FunctionConfiguration {
        function::configuration(&self.home, function, Some(&function.version.into()), detail)
    }

    pub(super) async fn create_alias(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::CreateAlias>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let new = NewAlias {
            name: AliasName::new(&asked.name),
            version: version_or_missing(&target, &asked.function_version)?,
            routing: routing(asked.routing_config)?,
            description: asked.description.unwrap_or_default(),
        };
        let created = self.functions.create_alias(&call.caller, &target, new).await?;
        write::<op::CreateAlias>(&version::alias(&target, &created))
    }

    pub(super) fn get_alias(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetAlias>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let found = self.functions.get_alias(&call.caller, &target, &AliasName::new(&asked.name))?;
        write::<op::GetAlias>(&version::alias(&target, &found))
    }

    pub(super) fn list_aliases(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::ListAliases>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let after = read_marker(asked.marker.as_deref(), |name| Some(AliasName::new(name)))?;
        let version =
            asked.function_version.as_deref().map(|version| version_or_missing(&target, version)).transpose()?;
        let items_max = page_items(asked.max_items);
        let page = self.functions.list_aliases(&call.caller, &target, version, after.as_ref(), items_max)?;
        write::<op::ListAliases>(&types::ListAliasesResponse {
            next_marker: page.next.map(|name| marker(name.as_str())),
            aliases: Some(page.items.iter().map(|found| version::alias(&target, found)).collect()),
        })
    }

    pub(super) async fn update_alias(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::UpdateAlias>()?;
        let target = self.home.read(&asked.function_name, None)?;
        let version = asked.function_version.as_deref();
        let edit = AliasEdit {
            version: version.map(|version| version_or_missing(&target, version)).transpose()?,
            routing: asked.routing_config.map(|config| routing(Some(config))).transpose()?,
            description: asked.description,
            revision: asked.revision_id,
        };
        let name = AliasName::new(&asked.name);
        let updated = self.functions.update_alias(&call.caller, &target, name, edit).await?;
        write::<op::UpdateAlias>(&version::alias(&target, &updated))
    }

    pub(super) async fn delete_alias(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::DeleteAlias>()?;
        let target = self.home.read(&asked.function_name, None)?;
        self.functions.delete_alias(&call.caller, &target, AliasName::new(&asked.name)).await?;
        write::<op::DeleteAlias>(&())
    }
}
