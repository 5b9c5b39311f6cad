//! Resource policies of functions.

use super::{Answer, Call, Operations, write};
use crate::convert::permission::permission;
use crate::generated::operations as op;
use crate::generated::types;

impl Operations {
    pub(super) async fn add_permission(&self, call: &Call<'_>) -> Answer {
        let mut asked = call.read::<op::AddPermission>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let expected = asked.revision_id.take();
        let permission = permission(asked);
        let statement = self.functions.add_permission(&call.caller, &target, permission, expected).await?;
        write::<op::AddPermission>(&types::AddPermissionResponse { statement: Some(statement) })
    }

    pub(super) async fn remove_permission(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::RemovePermission>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let (sid, expected) = (asked.statement_id, asked.revision_id);
        self.functions.remove_permission(&call.caller, &target, sid, expected).await?;
        write::<op::RemovePermission>(&())
    }

    pub(super) fn get_policy(&self, call: &Call<'_>) -> Answer {
        let asked = call.read::<op::GetPolicy>()?;
        let target = self.home.read(&asked.function_name, asked.qualifier.as_deref())?;
        let (policy, revision) = self.functions.get_policy(&call.caller, &target)?;
        let revision_id = Some(revision.to_string());
        write::<op::GetPolicy>(&types::GetPolicyResponse { policy: Some(policy), revision_id })
    }
}
